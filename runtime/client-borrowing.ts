import type { Lent } from "../transports/transport.js";
import type { CallOptions } from "./call-options.js";
import { type CallBounds, ClientCall, notOneResponse } from "./client-call.js";
import type { AnyMethod } from "./definition.js";

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
    let lent: Lent | undefined;
    let count = 0;
    const take = (message: unknown, of: Lent | undefined): void => {
      lent?.end();
      response = message;
      lent = of;
      count++;
    };
    start(
      new ClientCall(method, options, bounds, {
        onResponse: (message) => take(message, undefined),
        onBorrowed: take,
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
async function useUp(response: unknown, lent: Lent | undefined, use: Use): Promise<() => unknown> {
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
