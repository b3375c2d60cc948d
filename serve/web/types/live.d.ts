/** What comes over the WebSocket of a stream, which no OpenAPI document describes. */

export interface Track {
  id: number;
  /** x1, y1, x2, y2 in shares of the picture. */
  box: [number, number, number, number];
  score: number;
}

export interface Crossing {
  line: string;
  track: number;
  direction: string;
}

export interface FrameMessage {
  time_s: number;
  width: number;
  height: number;
  tracks: Track[];
  crossings: Crossing[];
}
