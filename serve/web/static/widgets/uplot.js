/** The chart library, fetched when the first chart is drawn. */

import { el } from "../lib/dom.js";

/** @typedef {typeof import("uplot")} UPlot */

/** @type {Promise<UPlot | null> | null} */
let loading = null;

/** uPlot, or null where it is not installed. */
export function loadUPlot() {
  loading ??= new Promise((resolve) => {
    const style = el("link", { rel: "stylesheet", href: "static/vendor/uPlot.min.css" });
    const script = el("script", { src: "static/vendor/uPlot.iife.min.js" });
    script.onload = () => resolve("uPlot" in window ? /** @type {UPlot} */ (window.uPlot) : null);
    script.onerror = () => resolve(null);
    document.head.append(style, script);
  });
  return loading;
}
