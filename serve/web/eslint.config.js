/** What ESLint holds the page and its tests to. */

import js from "@eslint/js";
import globals from "globals";

/** Imports run one way: views, widgets, lib. */
function below(folder, ...above) {
  const patterns = above.map((name) => ({
    group: [`**/${name}/**`, `**/main.js`],
    message: `${folder} is below ${name}.`,
  }));
  return {
    files: [`**/static/${folder}/**/*.js`],
    rules: { "no-restricted-imports": ["error", { patterns }] },
  };
}

export default [
  { ignores: ["**/static/vendor/**", "**/node_modules/**"] },
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2024, sourceType: "module" },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "array-callback-return": "error",
      "consistent-return": "error",
      "default-case-last": "error",
      eqeqeq: "error",
      "no-constructor-return": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-param-reassign": ["error", { props: false }],
      "no-promise-executor-return": "error",
      "no-self-compare": "error",
      "no-shadow": "error",
      "no-throw-literal": "error",
      "no-unmodified-loop-condition": "error",
      "no-unused-expressions": "error",
      "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "no-use-before-define": ["error", { functions: false, classes: false, variables: false }],
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "prefer-object-has-own": "error",
      "prefer-promise-reject-errors": "error",
      "require-atomic-updates": "off", // cannot tell a stale read from a newer one; Refresher and Live see to it
    },
  },
  {
    files: ["**/static/**/*.js"],
    languageOptions: { globals: globals.browser },
    rules: {
      // Data only ever becomes text or an attribute.
      "no-restricted-properties": [
        "error",
        ...["innerHTML", "outerHTML", "insertAdjacentHTML"].map((property) => ({ property, message: "Use el()." })),
        { object: "document", property: "write" },
      ],
      "no-restricted-globals": ["error", "event", "name", "status", "length", "top", "parent", "find", "close", "open"],
    },
  },
  {
    files: ["**/web/*.{js,mjs}"],
    languageOptions: { globals: globals.node },
  },
  below("lib", "widgets", "views"),
  below("widgets", "views"),
];
