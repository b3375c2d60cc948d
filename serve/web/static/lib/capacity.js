/** How full the readers are, in words. */

/** @import { ReaderView } from "../../types/documents.js" */

/**
 * One line about all readers; those that leave take nothing more.
 *
 * @param {ReaderView[]} readers
 */
export function capacityText(readers) {
  if (!readers.length) return "No reader is there: nothing is counted.";
  const staying = readers.filter((reader) => !reader.leaving);
  const nodes = new Set(readers.map((reader) => reader.node)).size;
  const wanted = sum(readers.map((reader) => reader.wanted));
  const capacity = sum(staying.map((reader) => reader.capacity));
  const where = nodes > 1 ? ` on ${nodes} nodes` : "";
  const leaving = readers.length - staying.length;
  const left = leaving ? `, ${leaving} of them leaving` : "";
  const count = readers.length === 1 ? "1 reader" : `${readers.length} readers`;
  return `${count}${where}${left}: cameras want ${wanted.toFixed(1)} of ${capacity.toFixed(1)} cores`;
}

/** @param {number[]} numbers */
function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
