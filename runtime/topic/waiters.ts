import { abortError } from "../client-call.js";
import { IpcError } from "../error.js";
import type { Host } from "../host.js";

interface Waiter {
  readonly isMet: () => boolean;
  readonly settle: (outcome: "met" | IpcError) => void;
}

/** Those who wait for something to become true. */
export class Waiters {
  readonly #host: Host;
  #waiters: Waiter[] = [];

  constructor(host: Host) {
    this.#host = host;
  }

  /**
   * Resolves with "met" when the condition holds. After `timeoutMs`: rejects with DEADLINE_EXCEEDED and the text, or
   * without a text resolves with "timeout".
   */
  until(
    isMet: () => boolean,
    bounds: {
      readonly signal: AbortSignal | undefined;
      readonly timeoutMs: number | undefined;
      readonly timeoutText: (() => string) | undefined;
    },
  ): Promise<"met" | "timeout"> {
    const { signal, timeoutMs, timeoutText } = bounds;
    if (signal?.aborted === true) return Promise.reject(abortError(signal));
    if (isMet()) return Promise.resolve("met");
    return new Promise((resolve, reject) => {
      let cancelTimer: (() => void) | undefined;
      const finish = (): void => {
        cancelTimer?.();
        signal?.removeEventListener("abort", onAbort);
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
      };
      const waiter: Waiter = {
        isMet,
        settle(outcome) {
          finish();
          if (outcome === "met") resolve("met");
          else reject(outcome);
        },
      };
      const onAbort = (): void => {
        if (signal !== undefined) waiter.settle(abortError(signal));
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      if (timeoutMs !== undefined && timeoutMs !== Number.POSITIVE_INFINITY) {
        cancelTimer = this.#host.setTimer(
          () => {
            finish();
            if (timeoutText === undefined) resolve("timeout");
            else reject(new IpcError("DEADLINE_EXCEEDED", `${timeoutText()} after ${timeoutMs} ms`));
          },
          Math.min(2_147_483_647, timeoutMs),
        );
      }
      this.#waiters.push(waiter);
    });
  }

  /** Something may have changed. */
  check(): void {
    if (this.#waiters.length === 0) return;
    for (const waiter of this.#waiters) {
      if (waiter.isMet()) waiter.settle("met");
    }
  }

  /** Nobody waits any more. */
  fail(error: IpcError): void {
    for (const waiter of this.#waiters) waiter.settle(error);
  }
}
