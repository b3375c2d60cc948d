/** What a call to the API takes and gives, by method and path, as the OpenAPI document has it. */

import type { paths } from "./api";

type Parameters = { path?: Record<string, string | number>; query?: object; header?: object };

export type Method = "get" | "put" | "post" | "patch" | "delete";

/** The paths that know a method. */
export type Path<M extends Method> = {
  [P in keyof paths]: paths[P][M] extends { responses: unknown } ? P : never;
}[keyof paths];

type Operation<M extends Method, P extends Path<M>> = paths[P][M];
type Asked<O> = O extends { parameters: infer Given extends Parameters }
  ? Pick<Given, "path" | "query" | "header">
  : never;
type Body<O> = O extends { requestBody: { content: { "application/json": infer Document } } }
  ? { body: Document }
  : { body?: undefined };

export type Options<M extends Method, P extends Path<M>> = Asked<Operation<M, P>> &
  Body<Operation<M, P>> & { signal?: AbortSignal };

type Json<Responses> = Responses extends { 200: { content: { "application/json": infer Document } } } ? Document : null;

/** The document that comes back; null where there is none. */
export type Answer<M extends Method, P extends Path<M>> =
  Operation<M, P> extends { responses: infer Responses } ? Json<Responses> : never;

/** The same, of whatever call. */
export interface AnyOptions {
  path?: Record<string, string | number>;
  query?: object;
  header?: object;
  body?: unknown;
  signal?: AbortSignal;
}
