/** The API's documentation, made of its OpenAPI document by Swagger UI. */

import { tokenHeaders } from "./lib/api.js";
import { byId, el } from "./lib/dom.js";

/**
 * The part of Swagger UI that is used here.
 *
 * @typedef {object} SwaggerOptions
 * @property {string} url
 * @property {Element} domNode
 * @property {boolean} deepLinking
 * @property {number} defaultModelsExpandDepth
 * @property {null} validatorUrl
 * @property {(request: { headers: Record<string, string> }) => object} requestInterceptor
 */

const swagger = /** @type {{ SwaggerUIBundle?: (options: SwaggerOptions) => unknown }} */ (window).SwaggerUIBundle;
const host = byId("api");

const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", paint);
paint();

if (swagger)
  swagger({
    url: new URL("api/v1/openapi.json", document.baseURI).href,
    domNode: host,
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    validatorUrl: null, // it would send the document to its maker's server
    // Calls that are tried from here carry the token that was given to the page in this tab, or to the viewer.
    requestInterceptor: (request) => ({ ...request, headers: { ...tokenHeaders(), ...request.headers } }),
  });
else
  host.append(
    el(
      "p",
      null,
      "The viewer is not installed. Run “npm ci” and “npm run vendor” in serve/web. The document itself is ",
    ),
    el("a", { href: "api/v1/openapi.json" }, "api/v1/openapi.json"),
  );
