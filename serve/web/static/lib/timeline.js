/** Buckets in a row, with what lies between them. */

/** Zero is always there; a little air above and below. */
export function amountRange(low, high) {
  const top = Math.max(high ?? 0, 0);
  const bottom = Math.min(low ?? 0, 0);
  if (top === 0 && bottom === 0) return [0, 1];
  return [bottom * 1.3, Math.max(top * 1.12, bottom === 0 ? 1 : 0)];
}

/** Columns for uPlot; where buckets are missing, one empty column each. */
export function inTime(report) {
  const seconds = (text) => Date.parse(text) / 1000;
  const [start, end] = [seconds(report.start), seconds(report.end)];
  const made = { start, end, starts: [], ends: [], buckets: [], gaps: [] };
  const gap = (from, to) => {
    if (to <= from) return;
    made.gaps.push([from, to]);
    made.starts.push(from);
    made.ends.push(to);
    made.buckets.push(null);
  };
  let reached = start;
  for (const bucket of report.buckets) {
    const [from, to] = [seconds(bucket.start), seconds(bucket.end)];
    gap(reached, from);
    made.starts.push(from);
    made.ends.push(to);
    made.buckets.push(bucket);
    reached = to;
  }
  gap(reached, end);
  return made;
}
