/** Ids made of what people call things. */

/**
 * @param {string} wanted
 * @param {Set<string>} taken
 */
export function freeId(wanted, taken) {
  if (!taken.has(wanted)) return wanted;
  for (let number = 2; ; number += 1) {
    const id = `${wanted.slice(0, 58)}-${number}`;
    if (!taken.has(id)) return id;
  }
}

/**
 * An id that the API takes, made of a name.
 *
 * @param {string} name
 */
export function slug(name) {
  return name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 60);
}

/**
 * What is wrong with an id that somebody has typed; null if nothing is.
 *
 * @param {string} id
 */
export function mistakeInId(id) {
  if (!id) return "An id is needed: letters, digits, “_”, “.” and “-”.";
  if (isId(id)) return null;
  return "Letters, digits, “_”, “.” and “-” only, and one of the first two at the beginning.";
}

/** @param {string} text */
export function isId(text) {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(text);
}
