/** The API's documentation, made of its OpenAPI document by Swagger UI. */

import { apiDocument, tokenHeaders, useTokenPrompt } from "./lib/api.js";
import { byId, el } from "./lib/dom.js";
import { askToken } from "./widgets/dialogs.js";

/**
 * The part of Swagger UI that is used here.
 *
 * @typedef {object} SwaggerOptions
 * @property {object} spec
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

useTokenPrompt(askToken);
if (swagger)
  swagger({
    spec: await apiDocument(),
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
