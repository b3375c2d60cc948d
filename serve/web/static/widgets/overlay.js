/** Boxes, lines and zones on a canvas; lengths are CSS pixels, places are shares of the picture. */

/** @import { Geometry, Point } from "../../types/documents.js" */
/** @import { Track } from "../../types/live.js" */

import { inArrow } from "../lib/geometry.js";

const INK = "rgba(8, 16, 18, 0.72)";
const LINE = "#7ee8d8";
const FLASH = "#ffd166";
const ZONE = "#c9b6ff";

/**
 * The picture on the canvas.
 *
 * @typedef {{ x: number, y: number, width: number, height: number }} Area
 */

/**
 * A colour per id, so that the eye can follow a person.
 *
 * @param {number} id
 */
function colour(id) {
  return `hsl(${(id * 137.5) % 360} 80% 74%)`;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Track[]} tracks
 * @param {Area} area
 */
export function drawBoxes(context, tracks, area) {
  context.font = "600 11px Inter, system-ui, sans-serif";
  context.textBaseline = "middle";
  for (const { id, box } of tracks) {
    const x = area.x + box[0] * area.width;
    const y = area.y + box[1] * area.height;
    const width = (box[2] - box[0]) * area.width;
    const height = (box[3] - box[1]) * area.height;
    context.lineWidth = 3.5;
    context.strokeStyle = INK;
    context.strokeRect(x, y, width, height);
    context.lineWidth = 1.75;
    context.strokeStyle = colour(id);
    context.strokeRect(x, y, width, height);
    drawId(context, id, x, y, area);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} id
 * @param {number} x
 * @param {number} y
 * @param {Area} area
 */
function drawId(context, id, x, y, area) {
  const text = String(id);
  const width = context.measureText(text).width + 8;
  const top = Math.max(y - 16, area.y);
  context.fillStyle = INK;
  context.fillRect(x - 1, top, width, 15);
  context.fillStyle = colour(id);
  context.fillText(text, x + 3, top + 8);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Geometry} geometry
 * @param {Area} area
 * @param {{ has(line: string): boolean }} flashes ids of lines that somebody has just crossed
 */
export function drawGeometry(context, geometry, area, flashes) {
  /** @type {(point: Point) => Point} */
  const place = ([x, y]) => [area.x + x * area.width, area.y + y * area.height];
  context.lineJoin = context.lineCap = "round";
  for (const zone of geometry.zones) {
    context.beginPath();
    for (const corner of zone.polygon) context.lineTo(...place(corner));
    context.closePath();
    context.fillStyle = "rgba(160, 130, 255, 0.14)";
    context.fill();
    twice(context, ZONE, 1.5);
  }
  for (const line of geometry.lines) {
    const [a, b] = [place(line.a), place(line.b)];
    const { from, to, wings } = inArrow(a, b);
    context.beginPath();
    context.moveTo(...a);
    context.lineTo(...b);
    context.moveTo(...from);
    context.lineTo(...to);
    context.moveTo(...wings[0]);
    context.lineTo(...to);
    context.lineTo(...wings[1]);
    const flashing = flashes.has(line.id);
    twice(context, flashing ? FLASH : LINE, flashing ? 3.5 : 2);
  }
}

/**
 * A light line on a dark one, to be seen on any picture.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {string} stroke
 * @param {number} width
 */
function twice(context, stroke, width) {
  context.lineWidth = width + 2.5;
  context.strokeStyle = "rgba(8, 16, 18, 0.5)";
  context.stroke();
  context.lineWidth = width;
  context.strokeStyle = stroke;
  context.stroke();
}
