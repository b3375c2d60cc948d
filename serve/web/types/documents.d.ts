/** The API's documents by the names that the page uses. */

import type { components } from "./api";
import type { LineDocument, ZoneDocument } from "./pending";

type Schemas = components["schemas"];

export type Point = [number, number];
export type ProbeResult = Schemas["ProbeResult"];
export type SourceDefinition = Schemas["ProbeBody"]["source"];
export type {
  Bucket,
  CountsReport,
  Geometry,
  HeatmapReport,
  LineCounts,
  LineDocument,
  SourceType,
  StreamView,
  ZoneCounts,
  ZoneDocument,
} from "./pending";

/** A line or a zone on the page; one that was never saved has no id. */
export type LineShape = Omit<LineDocument, "id"> & { kind: "line"; key: string; id?: string };
export type ZoneShape = Omit<ZoneDocument, "id"> & { kind: "zone"; key: string; id?: string };
export type Shape = LineShape | ZoneShape;
