/** Keeps moments of about the last while, so that rates are over that while however often they are asked for. */
export class SnapshotWindow<T extends { readonly atMs: number }> {
  readonly #spanMs: number;
  readonly #kept: T[] = [];

  constructor(spanMs: number) {
    this.#spanMs = spanMs;
  }

  /** Adds a moment and returns the one to compare it with: the latest that is a span old, else the oldest. */
  add(now: T): T | undefined {
    while (this.#kept.length > 1 && this.#kept[1]!.atMs <= now.atMs - this.#spanMs) this.#kept.shift();
    const before = this.#kept[0];
    this.#kept.push(now);
    return before;
  }
}
