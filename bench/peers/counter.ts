import { setTimeout as sleep } from "node:timers/promises";

/** Counts what arrives, and tells when it is enough. */
export class Counter {
  #count = 0;
  #waiting: { readonly atLeast: number; readonly resolve: () => void } | undefined;

  add(): void {
    this.#count++;
    if (this.#waiting !== undefined && this.#count >= this.#waiting.atLeast) {
      this.#waiting.resolve();
      this.#waiting = undefined;
    }
  }

  /** Resolves when so many have been counted. One caller at a time. */
  reached(atLeast: number): Promise<void> {
    if (this.#count >= atLeast) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting = { atLeast, resolve };
    });
  }
}

/** Resolves when the subscribers are there. Publishing begins with it, so it may be slow. */
export async function waitForSubscribers(wanted: number | null, count: () => number): Promise<void> {
  while (count() < (wanted ?? 1)) await sleep(1);
}
