import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const STATIC = fileURLToPath(new URL("../../serve/web/static/", import.meta.url));

/** What every module of the page imports, by their paths below static/. */
const IMPORTS = new Map(
  readdirSync(STATIC, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".js") && !path.startsWith("vendor"))
    .map((path) => {
      const found = readFileSync(join(STATIC, path), "utf8").matchAll(/^import [^;]*?from "([^"]+)";/gms);
      return [path, Array.from(found, ([, target]) => relative(STATIC, join(STATIC, dirname(path), target)))];
    }),
);

test("every import leads to a module", () => {
  for (const [path, targets] of IMPORTS)
    for (const target of targets) assert.ok(IMPORTS.has(target), `${path} imports ${target}`);
});

test("no import leads back to where it started", () => {
  const done = new Set();
  /** @param {string[]} way */
  function follow(way) {
    const path = /** @type {string} */ (way.at(-1));
    assert.ok(!way.slice(0, -1).includes(path), `a circle: ${way.join(", ")}`);
    if (done.has(path)) return;
    for (const target of IMPORTS.get(path) ?? []) follow([...way, target]);
    done.add(path);
  }
  for (const path of IMPORTS.keys()) follow([path]);
});

test("every module is used by the page or by its documentation", () => {
  const used = new Set(["main.js", "docs.js", ...[...IMPORTS.values()].flat()]);
  assert.deepEqual(
    [...IMPORTS.keys()].filter((path) => !used.has(path)),
    [],
  );
});
