import { Fifo } from "./fifo.js";

/** Whom an item is from. */
export interface ItemSource {
  /** The reader has taken an item of so many bytes. */
  onTaken(bytes: number): void;
}

/** Who fills a queue, as its reader sees it. */
export interface QueueSource extends ItemSource {
  /** The reader wants no more. */
  onAbandoned(): void;
}

interface Waiter<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

/** Items that came before they were asked for, and those who asked before they came. Read once. */
export class MessageQueue<T> implements AsyncIterableIterator<T, undefined> {
  readonly #source: QueueSource;
  /** Of each item: itself, its bytes, and whom it is from. An object for the three would be one more for each item. */
  readonly #waiting = new Fifo<unknown>();
  #waiters: Waiter<T>[] = [];
  #isEnded = false;
  #error: unknown;

  constructor(source: QueueSource) {
    this.#source = source;
  }

  /** Adds an item that took so many bytes on the wire. `source` is told when it is taken; the queue's, unless given. */
  push(item: T, bytes: number, source: ItemSource = this.#source): void {
    if (this.#isEnded) return;
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      waiter.resolve({ done: false, value: item });
      source.onTaken(bytes);
      return;
    }
    this.#waiting.push(item);
    this.#waiting.push(bytes);
    this.#waiting.push(source);
  }

  /** No item follows; with an error, the reader gets it after the items. */
  end(error?: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) this.#settleEnd(waiter);
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#waiting.length > 0) return Promise.resolve({ done: false, value: this.#take() });
    return new Promise((resolve, reject) => {
      if (this.#isEnded) this.#settleEnd({ resolve, reject });
      else this.#waiters.push({ resolve, reject });
    });
  }

  /** Whether somebody has asked for an item that has not come. */
  get isAwaited(): boolean {
    return this.#waiters.length > 0;
  }

  /** As `next`, without waiting: `undefined` where the next item has not come. Throws the error of the end. */
  poll(): IteratorResult<T, undefined> | undefined {
    if (this.#waiting.length > 0) return { done: false, value: this.#take() };
    if (!this.#isEnded) return undefined;
    const error = this.#error;
    this.#error = undefined;
    if (error !== undefined) throw error;
    return { done: true, value: undefined };
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#waiting.clear();
    if (!this.#isEnded) {
      this.end();
      this.#source.onAbandoned();
    }
    this.#error = undefined;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(): T {
    const item = this.#waiting.shift() as T;
    const bytes = this.#waiting.shift() as number;
    const source = this.#waiting.shift() as ItemSource;
    source.onTaken(bytes);
    return item;
  }

  #settleEnd(waiter: Waiter<T>): void {
    const error = this.#error;
    // The error is told once; whoever asks again learns that the items are over.
    this.#error = undefined;
    if (error === undefined) waiter.resolve({ done: true, value: undefined });
    else waiter.reject(error);
  }
}
