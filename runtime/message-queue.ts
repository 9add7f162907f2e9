import { IpcError } from "./error.js";
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

/** Somebody who is called with each item. */
interface Loop<T> {
  readonly use: (item: T) => unknown;
  /** `use` is running, or what it returned has not settled. */
  isBusy: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Items that came before they were asked for, and those who asked before they came. Read once. */
export class MessageQueue<T> implements AsyncIterableIterator<T, undefined> {
  readonly #source: QueueSource;
  /** Of each item: itself, its bytes, and whom it is from. An object for the three would be one more for each item. */
  readonly #waiting = new Fifo<unknown>();
  #waiters: Waiter<T>[] = [];
  #loop: Loop<T> | undefined;
  #isEnded = false;
  #error: unknown;

  constructor(source: QueueSource) {
    this.#source = source;
  }

  /** Adds an item that took so many bytes on the wire. `source` is told when it is taken; the queue's, unless given. */
  push(item: T, bytes: number, source: ItemSource = this.#source): void {
    if (this.#isEnded) return;
    const loop = this.#loop;
    if (loop !== undefined && !loop.isBusy) {
      this.#use(loop, item, bytes, source);
      // What came meanwhile, or the end.
      if (this.#waiting.length > 0 || this.#isEnded) this.#goOn(loop);
      return;
    }
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
    if (this.#loop !== undefined) this.#goOn(this.#loop);
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#loop !== undefined) return Promise.reject(readTwice());
    if (this.#waiting.length > 0) return Promise.resolve({ done: false, value: this.#take() });
    return new Promise((resolve, reject) => {
      if (this.#isEnded) this.#settleEnd({ resolve, reject });
      else this.#waiters.push({ resolve, reject });
    });
  }

  /**
   * Calls `use` with each item, as soon as it comes and whoever was called with the one before has returned, or the promise
   * that it returned has settled. Resolves after the end, rejects with its error. Where `use` throws, or its promise rejects,
   * the reader wants no more, and what it threw is what this rejects with. Rejects with FAILED_PRECONDITION where somebody
   * else reads.
   */
  forEach(use: (item: T) => unknown): Promise<void> {
    if (this.isAwaited) return Promise.reject(readTwice());
    return new Promise((resolve, reject) => {
      const loop = { use, isBusy: false, resolve, reject };
      this.#loop = loop;
      this.#goOn(loop);
    });
  }

  /** Whether somebody has asked for an item that has not come. */
  get isAwaited(): boolean {
    return this.#waiters.length > 0 || this.#loop !== undefined;
  }

  /** Whether the items are those of `forEach`, so that whoever else asks for one is refused. */
  get isLooping(): boolean {
    return this.#loop !== undefined;
  }

  /**
   * As `next`, without waiting: `undefined` where the next item has not come. Throws the error of the end, and
   * FAILED_PRECONDITION while `forEach` reads.
   */
  poll(): IteratorResult<T, undefined> | undefined {
    if (this.#loop !== undefined) throw readTwice();
    if (this.#waiting.length > 0) return { done: false, value: this.#take() };
    if (!this.#isEnded) return undefined;
    const error = this.#takeError();
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

  /** Whether what is called with the items may be called again, now or later. */
  #goOn(loop: Loop<T>): void {
    while (!loop.isBusy && this.#loop === loop && this.#waiting.length > 0) {
      const item = this.#waiting.shift() as T;
      const bytes = this.#waiting.shift() as number;
      this.#use(loop, item, bytes, this.#waiting.shift() as ItemSource);
    }
    if (loop.isBusy || this.#loop !== loop || !this.#isEnded) return;
    this.#loop = undefined;
    const error = this.#takeError();
    if (error === undefined) loop.resolve();
    else loop.reject(error);
  }

  /** Nothing of what it does throws into whoever brought the item. */
  #use(loop: Loop<T>, item: T, bytes: number, source: ItemSource): void {
    loop.isBusy = true;
    let result: unknown;
    let isPending: boolean;
    try {
      result = loop.use(item);
      isPending = result !== undefined && isThenable(result);
    } catch (error) {
      this.#stop(loop, error);
      return;
    }
    // Busy until that has returned: what it brings would pass those that wait, and go ever deeper into the stack.
    if (!isPending) {
      source.onTaken(bytes);
      loop.isBusy = false;
      return;
    }
    Promise.resolve(result).then(
      () => {
        source.onTaken(bytes);
        loop.isBusy = false;
        this.#goOn(loop);
      },
      (error: unknown) => this.#stop(loop, error),
    );
  }

  #stop(loop: Loop<T>, error: unknown): void {
    this.#loop = undefined;
    void this.return();
    loop.reject(error);
  }

  #take(): T {
    const item = this.#waiting.shift() as T;
    const bytes = this.#waiting.shift() as number;
    const source = this.#waiting.shift() as ItemSource;
    source.onTaken(bytes);
    return item;
  }

  /** The error is told once; whoever asks again learns that the items are over. */
  #takeError(): unknown {
    const error = this.#error;
    this.#error = undefined;
    return error;
  }

  #settleEnd(waiter: Waiter<T>): void {
    const error = this.#takeError();
    if (error === undefined) waiter.resolve({ done: true, value: undefined });
    else waiter.reject(error);
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

function readTwice(): IpcError {
  return new IpcError("FAILED_PRECONDITION", "somebody else reads already, and each item is for one reader");
}
