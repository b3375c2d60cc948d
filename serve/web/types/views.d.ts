/** What a view is to the shell. */

export interface Route {
  path: string;
  /** The part of the path that names a stream or a sink; "" where there is none. */
  id: string;
  query: URLSearchParams;
}

export interface View {
  title: string;
  /** Whether something would be lost by leaving. */
  unsaved?(): boolean;
  destroy(): void;
}

/** Fills an empty element. */
export type MakeView = (host: HTMLElement, route: Route) => View;
