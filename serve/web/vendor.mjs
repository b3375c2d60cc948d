/** Copies uPlot out of node_modules to where the page finds it. */
import { copyFile, mkdir } from "node:fs/promises";

const from = new URL("node_modules/uplot/", import.meta.url);
const to = new URL("static/vendor/", import.meta.url);
const files = {
  "dist/uPlot.iife.min.js": "uPlot.iife.min.js",
  "dist/uPlot.min.css": "uPlot.min.css",
  LICENSE: "uPlot.LICENSE",
};

await mkdir(to, { recursive: true });
for (const [source, target] of Object.entries(files)) await copyFile(new URL(source, from), new URL(target, to));
