/** What `el` and `svg` take: attributes that this page uses, so that a slip is an error and not silence. */

type Handlers<Target> = {
  [Name in keyof GlobalEventHandlersEventMap as `on${Name}`]?: (
    event: GlobalEventHandlersEventMap[Name] & { currentTarget: Target },
  ) => unknown;
};

type Text = string | number | null;

interface Attributes {
  [name: `aria-${string}`]: Text;
  alt?: string;
  autocapitalize?: "none";
  autocomplete?: "off" | "current-password";
  checked?: boolean;
  class?: string;
  dataset?: Record<string, string | number>;
  disabled?: boolean;
  draggable?: "false";
  for?: string;
  height?: Text;
  hidden?: boolean;
  href?: string;
  id?: string;
  inputmode?: "url" | null;
  list?: string;
  max?: Text;
  maxlength?: Text;
  min?: Text;
  name?: string;
  novalidate?: boolean;
  open?: boolean;
  placeholder?: string | null;
  rel?: string;
  required?: boolean;
  role?: string;
  scope?: "col" | "row";
  selected?: boolean;
  spellcheck?: "false";
  src?: string | null;
  step?: Text;
  tabindex?: "0" | "-1";
  title?: string;
  type?: string;
  value?: string | number;
  width?: Text;
}

interface Drawn {
  cx?: number;
  cy?: number;
  d?: string;
  points?: string;
  r?: number;
  "text-anchor"?: "start" | "middle" | "end";
  x?: number;
  y?: number;
}

export type Props<Target> = Attributes & Handlers<Target>;
export type SvgProps<Target> = Attributes & Drawn & Handlers<Target>;

/** What is null or false is left out. */
export type Child = Node | string | null | undefined | false;
export type Children = (Child | Child[])[];
