/** Lines and zones as values: shape, direction, names, history. No page in here. */

const ARROW_PX = 26;
const WING_PX = 8;

/**
 * The arrow that shows which side of a line is *in*: from its middle towards (dy, -dx) of b - a, x right, y down.
 *
 * Works on pixels; scaling the axes moves the arrow but never to the other side.
 */
export function inArrow(a, b, length = ARROW_PX) {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const size = Math.hypot(dx, dy) || 1;
  const [nx, ny] = [dy / size, -dx / size];
  const from = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const to = [from[0] + nx * length, from[1] + ny * length];
  const wing = (side) => [
    to[0] - nx * WING_PX + side * ny * WING_PX * 0.75,
    to[1] - ny * WING_PX - side * nx * WING_PX * 0.75,
  ];
  return { from, to, wings: [wing(1), wing(-1)] };
}

export function clamp([x, y]) {
  const share = (v) => Math.round(Math.min(Math.max(v, 0), 1) * 1e4) / 1e4;
  return [share(x), share(y)];
}

export function centre(points) {
  const sum = points.reduce(([x, y], p) => [x + p[0], y + p[1]], [0, 0]);
  return [sum[0] / points.length, sum[1] / points.length];
}

/** Whether two sides of a polygon cross, which no floor area does. */
export function crossesItself(polygon) {
  const count = polygon.length;
  const side = (a, b, c) => Math.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]));
  for (let i = 0; i < count; i += 1)
    for (let j = i + 2; j < count; j += 1) {
      if (i === 0 && j === count - 1) continue; // neighbours
      const [a, b, c, d] = [polygon[i], polygon[i + 1], polygon[j], polygon[(j + 1) % count]];
      if (side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0) return true;
    }
  return false;
}

/** The points of a shape, whichever it is. */
export function pointsOf(shape) {
  return shape.kind === "line" ? [shape.a, shape.b] : shape.polygon;
}

export function withPoints(shape, points) {
  return shape.kind === "line" ? { ...shape, a: points[0], b: points[1] } : { ...shape, polygon: points };
}

/** From the API's document to shapes; ``key`` tells them apart on the page. */
export function shapesOf(document) {
  return [
    ...(document.lines ?? []).map((line) => ({ ...line, kind: "line", key: `line/${line.id}` })),
    ...(document.zones ?? []).map((zone) => ({ ...zone, kind: "zone", key: `zone/${zone.id}` })),
  ];
}

/** The API's document of shapes; new ones get an id made of their name, which stays for ever. */
export function documentOf(shapes, homography, version) {
  const lines = withIds(shapes.filter((shape) => shape.kind === "line"));
  const zones = withIds(shapes.filter((shape) => shape.kind === "zone"));
  return {
    lines: lines.map(({ id, name, a, b, in_name, out_name }) => ({ id, name, a, b, in_name, out_name })),
    zones: zones.map(({ id, name, polygon, dwell_min_s }) => ({ id, name, polygon, dwell_min_s })),
    homography: homography ?? null,
    version,
  };
}

function withIds(shapes) {
  const taken = new Set(shapes.map((shape) => shape.id).filter(Boolean));
  return shapes.map((shape) => {
    if (shape.id) return shape;
    const id = freeId(slug(shape.name) || shape.kind, taken);
    taken.add(id);
    return { ...shape, id };
  });
}

export function freeId(wanted, taken) {
  if (!taken.has(wanted)) return wanted;
  for (let number = 2; ; number += 1) {
    const id = `${wanted.slice(0, 58)}-${number}`;
    if (!taken.has(id)) return id;
  }
}

/** An id that the API takes, made of a name. */
export function slug(name) {
  return name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 60);
}

/** The first "Line 1", "Line 2", ... that is free. */
export function freeName(kind, shapes) {
  const word = kind === "line" ? "Line" : "Zone";
  const names = new Set(shapes.map((shape) => shape.name));
  for (let number = 1; ; number += 1) if (!names.has(`${word} ${number}`)) return `${word} ${number}`;
}

/** What was, what is, and what was undone. */
export class History {
  #past = [];
  #future = [];
  #reason = null;

  constructor(value) {
    this.value = value;
    this.saved = value;
  }

  get changed() {
    return this.value !== this.saved;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  /** Changes with the same ``reason`` in a row, such as the steps of one drag, are undone at once. */
  commit(value, reason = null) {
    if (reason === null || reason !== this.#reason) this.#past.push(this.value);
    this.#reason = reason;
    this.#future = [];
    this.value = value;
  }

  /** The next change is one of its own. */
  settle() {
    this.#reason = null;
  }

  undo() {
    if (!this.canUndo) return;
    this.#future.push(this.value);
    this.value = this.#past.pop();
    this.settle();
  }

  redo() {
    if (!this.canRedo) return;
    this.#past.push(this.value);
    this.value = this.#future.pop();
    this.settle();
  }
}
