import type { Lent } from "../transports/transport.js";
import type { CallOptions } from "./call-options.js";
import { type CallBounds, ClientCall, notOneResponse, stoppedReading } from "./client-call.js";
import type { BorrowedMessage } from "./codec/borrow.js";
import type { AnyMethod } from "./definition.js";
import { MessageQueue } from "./message-queue.js";
import { useThenEnd } from "./use-then-end.js";

/** Reads a response that it has for a time. */
export type Use = (response: unknown) => unknown;

/**
 * The promise of a method with one response, which is used at once and given back when that is over. Resolves with a
 * function that returns or throws what `use` did.
 */
export function borrowedResponse(
  method: AnyMethod,
  options: CallOptions | undefined,
  bounds: CallBounds,
  use: Use,
  start: (call: ClientCall) => void,
): Promise<() => unknown> {
  return new Promise((resolve, reject) => {
    let response: unknown;
    let lent: LentResponse | undefined;
    let count = 0;
    const take = (message: unknown, of: LentResponse | undefined): void => {
      lent?.end();
      response = message;
      lent = of;
      count++;
    };
    start(
      new ClientCall(method, options, bounds, {
        onResponse: (message) => take(message, undefined),
        onBorrowed: (borrowed) =>
          take(borrowed.message, borrowed.lent && new LentResponse(borrowed, borrowed.lent)),
        onMemoryGoing: () => lent?.copyOut(),
        onDone(error) {
          if (error === undefined && count === 1) {
            void useUp(response, lent, use).then(resolve);
          } else {
            lent?.end();
            reject(error ?? notOneResponse(method, count));
          }
        },
      }),
    );
  });
}

/** Calls `use` before it returns: the link may end right after it, and with it what was lent. */
async function useUp(response: unknown, lent: LentResponse | undefined, use: Use): Promise<() => unknown> {
  try {
    const result = await use(response);
    return () => result;
  } catch (error) {
    return () => {
      throw error;
    };
  } finally {
    lent?.end();
  }
}

/** A response with fields that are the peer's memory. */
class LentResponse {
  readonly message: unknown;
  readonly #names: readonly string[];
  #lent: Lent | undefined;

  constructor({ message, names }: BorrowedMessage, lent: Lent) {
    this.message = message;
    this.#names = names;
    this.#lent = lent;
  }

  /** Copies what is borrowed, and gives it back. */
  copyOut(): void {
    if (this.#lent === undefined) return;
    const values = this.message as Record<string, unknown>;
    for (const name of this.#names) values[name] = (values[name] as Uint8Array).slice();
    this.end();
  }

  end(): void {
    this.#lent?.end();
    this.#lent = undefined;
  }
}

/**
 * Calls `use` with each response of a method with many, as it comes and the one before is done with. Resolves after the last;
 * rejects with the call's error, or with what `use` threw, which cancels the call. `borrows`: large fields stay where the peer
 * wrote them until `use` has returned, or its promise has settled.
 */
export function eachResponse(
  method: AnyMethod,
  options: CallOptions | undefined,
  bounds: CallBounds,
  borrows: boolean,
  use: Use,
  start: (call: ClientCall) => void,
): Promise<void> {
  /** Those that nobody was called with yet. */
  const waiting = new Set<LentResponse>();
  const queue = new MessageQueue<unknown>({
    onTaken: (bytes) => call.consumed(bytes),
    onAbandoned() {
      for (const response of waiting) response.end();
      waiting.clear();
      call.cancel(stoppedReading());
    },
  });
  const onBorrowed = (borrowed: BorrowedMessage, bytes: number): void => {
    const { message, lent } = borrowed;
    if (lent === undefined) {
      queue.push(message, bytes);
      return;
    }
    const response = new LentResponse(borrowed, lent);
    waiting.add(response);
    queue.push(response, bytes);
  };
  const copyWaiting = (): void => {
    for (const response of waiting) response.copyOut();
  };
  const call = new ClientCall(method, options, bounds, {
    onResponse: (response, bytes) => queue.push(response, bytes),
    ...(borrows ? { onBorrowed } : {}),
    onMemoryGoing: copyWaiting,
    onDone(error) {
      // From here on the link may end at any time, and nobody would tell. It can be read as long as this runs.
      copyWaiting();
      waiting.clear();
      queue.end(error);
    },
  });
  const useOne = (response: unknown): unknown => {
    if (!(response instanceof LentResponse)) return use(response);
    waiting.delete(response);
    return useThenEnd(
      () => use(response.message),
      () => response.end(),
    );
  };
  const done = queue.forEach(useOne);
  start(call);
  return done;
}
