/** How many durations are kept: enough for a meaningful 99th percentile, few enough to sort at every redraw. */
const KEPT = 10_000;

/** The latest durations, and how many there were in all. */
export class Latencies {
  readonly #kept: number[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(durationMs: number): void {
    this.#kept[this.#count % KEPT] = durationMs;
    this.#count++;
  }

  /** Percentiles in microseconds, by nearest rank; `share` from 0 to 1. 0 where nothing was added. */
  percentilesUs(...shares: readonly number[]): number[] {
    const ascending = [...this.#kept].sort((a, b) => a - b);
    return shares.map((share) => {
      const rank = Math.max(1, Math.ceil(share * ascending.length));
      return Math.round((ascending[rank - 1] ?? 0) * 10_000) / 10;
    });
  }
}
