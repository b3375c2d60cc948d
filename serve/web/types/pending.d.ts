/** Answers that the OpenAPI document has no schema of yet. */

import type { Point } from "./documents";
import type { Schema } from "./schema";

export interface LineDocument {
  id: string;
  name: string;
  a: Point;
  b: Point;
  in_name: string;
  out_name: string;
}

export interface ZoneDocument {
  id: string;
  name: string;
  polygon: Point[];
  dwell_min_s: number;
}

export interface Geometry {
  lines: LineDocument[];
  zones: ZoneDocument[];
  homography: number[][] | null;
  version: number;
}

export interface StreamView {
  id: string;
  name: string;
  site: string;
  source: { type: string; url?: string; topic?: string; path?: string };
  analysis_fps: number | null;
  enabled: boolean;
  model: string | null;
  geometry: Geometry;
  state: string;
  since: string;
  error: string | null;
  error_code: string | null;
  fps_in: number;
  fps_processed: number;
  frame_age_s: number | null;
  skipped: number;
  reader: string | null;
  epoch: number;
  width?: number | null;
  height?: number | null;
}

export interface LineCounts {
  in: number;
  out: number;
}

export interface ZoneCounts {
  mean: number | null;
  peak: number;
  person_seconds: number;
  entries: number;
  exits: number;
  dwells: number;
  dwell_p50_s: number | null;
  dwell_p90_s: number | null;
}

export interface Bucket {
  start: string;
  end: string;
  coverage: number;
  people: { mean: number | null; peak: number; person_seconds: number };
  lines: Record<string, LineCounts>;
  zones: Record<string, ZoneCounts>;
}

export interface CountsReport {
  stream: string;
  start: string;
  end: string;
  bucket: string;
  tz: string;
  buckets: Bucket[];
  total: Bucket;
}

export interface HeatmapReport {
  stream: string;
  start: string;
  end: string;
  measure: "dwell" | "visits";
  unit: string;
  shape: [number, number];
  coverage: number;
  covered_s: number;
  scale: { clip: number; top: number; highest: number };
  total: number;
  grid: number[][];
}

export interface SourceType {
  type: string;
  title: string;
  description: string;
  live: boolean;
  schema: Schema;
}

export interface PendingPaths {
  "/api/v1/source-types": {
    get: { parameters: { path?: never; query?: never }; responses: { 200: unknown } };
    put?: never;
    post?: never;
    patch?: never;
    delete?: never;
  };
}

export interface PendingAnswers {
  "/api/v1/source-types": SourceType[];
  "/api/v1/streams": StreamView[];
  "/api/v1/streams/{stream}": StreamView;
  "/api/v1/streams/{stream}/geometry": Geometry;
  "/api/v1/streams/{stream}/counts": CountsReport;
  "/api/v1/streams/{stream}/heatmap": HeatmapReport;
}
