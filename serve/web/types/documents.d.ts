/** The API's documents by the names that the page uses. */

import type { components } from "./api";
import type { Schema } from "./schema";

type Schemas = components["schemas"];

export type Alert = Schemas["AlertAnswer"];
export type Bucket = Schemas["CountsBucket"];
export type CountsReport = Schemas["CountsAnswer"];
export type DeadLetter = Schemas["DeadLetterAnswer"];
export type Drift = Schemas["DriftAnswer"];
export type ViewPicture = Schemas["ViewPictureAnswer"];
export type Geometry = Schemas["GeometryAnswer"];
export type HeatmapReport = Schemas["HeatmapAnswer"];
/** A type of source or sink. The API does not describe descriptions; that they are JSON Schema is said here. */
export type Kind = Omit<Schemas["SinkType"], "schema"> & { schema: Schema };
export type LineCounts = Schemas["LineCount"];
export type LineDocument = Schemas["LineBody"];
export type Moment = Schemas["MomentAnswer"];
export type PastAlert = Schemas["PastAlertAnswer"];
export type Point = LineDocument["a"];
export type ProbeResult = Schemas["ProbeAnswer"];
export type ReaderView = Schemas["ReaderAnswer"];
export type SinkBody = Schemas["SinkBody"];
export type SinkTarget = SinkBody["target"];
export type SinkView = Schemas["SinkAnswer"];
export type SourceDefinition = Schemas["ProbeBody"]["source"];
/** As a CloudEvent. */
export type ServiceEvent = Schemas["EventAnswer"];
export type StreamView = Schemas["StreamAnswer"];
export type ZoneCounts = Schemas["ZoneCount"];
export type ZoneDocument = Schemas["ZoneBody"];
export type ZoneLimits = Schemas["ZoneLimitsBody"];

/** A line or a zone on the page; one that was never saved has no id. */
export type LineShape = Omit<LineDocument, "id"> & { kind: "line"; key: string; id?: string };
export type ZoneShape = Omit<ZoneDocument, "id"> & { kind: "zone"; key: string; id?: string };
export type Shape = LineShape | ZoneShape;
