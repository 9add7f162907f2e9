/** The middle of the values, or the mean of the two in the middle. Throws where there is none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  if (upper === undefined || lower === undefined) throw new Error("there is no median of no values");
  return (lower + upper) / 2;
}

/** The smallest of the ascending values that `percent` percent of them do not exceed. Throws where there is none. */
export function percentile(ascending: Float64Array, percent: number): number {
  const rank = Math.max(1, Math.ceil((ascending.length * percent) / 100));
  const value = ascending[rank - 1];
  if (value === undefined) throw new Error("there is no percentile of no values");
  return value;
}
