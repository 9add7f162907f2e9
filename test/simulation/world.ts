/** What is due at some time. */
interface Due {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
  isCancelled: boolean;
}

/** A rule was broken. It ends the run: what follows a broken rule tells little. */
export class Violation extends Error {
  override readonly name = "Violation";
}

const NANOS = 1_000_000;

/** Lets every microtask run, and all that they queue. */
function drainMicrotasks(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Virtual time: events in the order of their times, one turn of the event loop each, and a record of what happened. */
export class World {
  nowMs = 1_000;
  readonly violations: string[] = [];
  /** What happened, line by line; kept only where somebody wants to read it. */
  readonly trace: string[] | undefined;
  readonly #heap: Due[] = [];
  #order = 0;
  #endOfTurn: (() => void)[] = [];
  #hash = 0x811c9dc5;
  #events = 0;

  constructor(keepsTrace: boolean) {
    this.trace = keepsTrace ? [] : undefined;
  }

  /** A number that is equal for runs in which the same happened. */
  get hash(): number {
    return this.#hash;
  }

  /** How many events have run. */
  get events(): number {
    return this.#events;
  }

  /** Notes that something happened. */
  log(text: string): void {
    const line = `${this.nowMs.toFixed(3)} ${text}`;
    let hash = this.#hash;
    for (let i = 0; i < line.length; i++) hash = Math.imul(hash ^ line.charCodeAt(i), 0x01000193);
    this.#hash = hash >>> 0;
    this.trace?.push(line);
  }

  /** Notes that a rule was broken. */
  report(text: string): void {
    this.log(`VIOLATION ${text}`);
    this.violations.push(`at ${this.nowMs.toFixed(3)} ms: ${text}`);
  }

  /** Runs something after a delay; the function returned prevents that. */
  after(delayMs: number, run: () => void): () => void {
    // Whole nanoseconds: sums of fractions stay equal however they are made.
    const atMs = Math.round((this.nowMs + Math.max(0, delayMs)) * NANOS) / NANOS;
    const due: Due = { atMs, order: this.#order++, run, isCancelled: false };
    this.#push(due);
    return () => {
      due.isCancelled = true;
    };
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(delayMs, resolve);
    });
  }

  /** Runs something when the turn has done all that it does. */
  atEndOfTurn(run: () => void): void {
    this.#endOfTurn.push(run);
  }

  /** Runs what is due until nothing is, the time has come, or a rule is broken. True where nothing is left. */
  async runUntil(endMs: number): Promise<boolean> {
    await this.#finishTurn();
    for (;;) {
      if (this.violations.length > 0) return false;
      const due = this.#heap[0];
      if (due === undefined) return true;
      if (!due.isCancelled && due.atMs > endMs) return false;
      this.#pop();
      if (due.isCancelled) continue;
      this.nowMs = Math.max(this.nowMs, due.atMs);
      this.#events++;
      this.#guard(due.run);
      await this.#finishTurn();
    }
  }

  async #finishTurn(): Promise<void> {
    await drainMicrotasks();
    while (this.#endOfTurn.length > 0) {
      const callbacks = this.#endOfTurn;
      this.#endOfTurn = [];
      for (const run of callbacks) this.#guard(run);
      await drainMicrotasks();
    }
  }

  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.report(error instanceof Violation ? error.message : `the runtime threw ${describe(error)}`);
    }
  }

  #push(due: Due): void {
    const heap = this.#heap;
    let index = heap.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(due, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = due;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = index * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** An error with its stack, for people. */
export function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
