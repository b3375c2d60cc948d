/** Copies what the page takes from others out of node_modules to where the page finds it, licences included. */
import { copyFile, mkdir } from "node:fs/promises";

const from = new URL("node_modules/", import.meta.url);
const to = new URL("static/vendor/", import.meta.url);
const files = {
  "uplot/dist/uPlot.iife.min.js": "uPlot.iife.min.js",
  "uplot/dist/uPlot.min.css": "uPlot.min.css",
  "uplot/LICENSE": "uPlot.LICENSE",
  "swagger-ui-dist/swagger-ui-bundle.js": "swagger-ui-bundle.js",
  "swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt": "swagger-ui-bundle.js.LICENSE.txt",
  "swagger-ui-dist/swagger-ui.css": "swagger-ui.css",
  "swagger-ui-dist/LICENSE": "swagger-ui.LICENSE",
  "swagger-ui-dist/NOTICE": "swagger-ui.NOTICE",
};

await mkdir(to, { recursive: true });
for (const [source, target] of Object.entries(files)) await copyFile(new URL(source, from), new URL(target, to));
