/** The part of JSON Schema that the page makes forms of, with the service's own words (x-...). */

export type Scalar = string | number | boolean | null;

export interface Schema {
  $ref?: string;
  $defs?: Record<string, Schema>;
  allOf?: Schema[];
  anyOf?: Schema[];
  const?: Scalar;
  default?: unknown;
  description?: string;
  enum?: Scalar[];
  exclusiveMaximum?: number;
  exclusiveMinimum?: number;
  format?: string;
  maxLength?: number;
  maximum?: number;
  minLength?: number;
  minimum?: number;
  multipleOf?: number;
  pattern?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  title?: string;
  type?: string;
  writeOnly?: boolean;
  /** Goes under "More settings". */
  "x-advanced"?: boolean;
  /** Not shown; keeps the value that it has. */
  "x-hidden"?: boolean;
  "x-labels"?: Record<string, string>;
  /** What is said when it is empty. */
  "x-needed"?: string;
  "x-placeholder"?: string;
}
