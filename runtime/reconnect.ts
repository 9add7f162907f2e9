import { BackOff, type BackOffRules } from "./back-off.js";
import type { CallOptions } from "./call-options.js";
import { abortError, boundsOf, type CallBounds } from "./client-call.js";
import type { AnyMethod } from "./definition.js";
import { IpcError } from "./error.js";
import type { Host } from "./host.js";
import { hasManyRequests, hasManyResponses } from "./server-call.js";

/** A method of a client. */
export type Method = (request: unknown, options?: CallOptions) => unknown;

/** What repeating calls needs to know of its client. */
export interface RepeatConfig {
  readonly host: Host;
  readonly rules: BackOffRules;
  /** The `timeoutMs` of calls that give none. */
  readonly timeoutMs: number | undefined;
  /** Whether the endpoint is closed: nothing will ever come of another attempt. */
  isOver(): boolean;
}

/**
 * The method of a client that reconnects: a call that was certainly not executed is made again, and one that may have been
 * where the method's idempotency level allows that, until the deadline. `plain` makes one attempt. Nothing is repeated
 * once the user was told of anything: a header, a response.
 */
export function repeating(method: AnyMethod, plain: Method, config: RepeatConfig): Method {
  if (!hasManyResponses(method)) {
    return async (request, options) => {
      const call = new RepeatedCall(method, plain, config, request, options);
      for (;;) {
        try {
          return await call.attempt();
        } catch (error) {
          await call.waitOrThrow(IpcError.from(error));
        }
      }
    };
  }
  return (request, options) => repeatedStream(new RepeatedCall(method, plain, config, request, options));
}

/** One call, and its attempts. */
class RepeatedCall {
  readonly #method: AnyMethod;
  readonly #plain: Method;
  readonly #config: RepeatConfig;
  readonly #request: unknown;
  readonly #options: CallOptions | undefined;
  readonly #bounds: CallBounds;
  readonly #backOff: BackOff;
  #attempts = 0;
  /** An attempt may have been executed. */
  #mayHaveRun = false;
  /** The user was told of something, or gave something that it cannot give again. */
  #isFinal = false;

  constructor(
    method: AnyMethod,
    plain: Method,
    config: RepeatConfig,
    request: unknown,
    options: CallOptions | undefined,
  ) {
    this.#method = method;
    this.#plain = plain;
    this.#config = config;
    this.#request = request;
    this.#options = options;
    // One deadline for all attempts.
    this.#bounds = boundsOf(options, config.timeoutMs, config.host);
    this.#backOff = new BackOff(config.rules, config.host);
  }

  /** What `plain` returns. */
  attempt(): unknown {
    this.#attempts++;
    const { deadlineMs } = this.#bounds;
    const options = this.#options;
    const leftMs = deadlineMs - this.#config.host.now();
    const onHeader = options?.onHeader;
    return this.#plain(hasManyRequests(this.#method) ? this.#requests() : this.#request, {
      ...options,
      // Above 0: an attempt whose time is over ends as such.
      ...(deadlineMs === Number.POSITIVE_INFINITY ? {} : { timeoutMs: Math.max(leftMs, 0.001) }),
      ...(onHeader === undefined
        ? {}
        : {
            onHeader: (header) => {
              this.#isFinal = true;
              onHeader(header);
            },
          }),
    });
  }

  /** The user has a response: whatever comes is final. */
  responded(): void {
    this.#isFinal = true;
  }

  /** Waits before the next attempt. Rejects with how the call has ended where there is none. */
  async waitOrThrow(error: IpcError): Promise<void> {
    this.#mayHaveRun ||= error.maybeExecuted;
    const { host } = this.#config;
    if (!this.#mayRepeat(error)) throw this.#ending(error);
    const delayMs = Math.ceil(this.#backOff.nextDelayMs());
    const { deadlineMs, signals } = this.#bounds;
    if (host.now() + delayMs >= deadlineMs) {
      const text = `the deadline passed before a further attempt: ${error.rawMessage}`;
      throw this.#ending(new IpcError("DEADLINE_EXCEEDED", text, { cause: error }));
    }
    const aborted = await pause(host, delayMs, signals);
    if (aborted !== undefined) throw this.#ending(abortError(aborted));
  }

  #mayRepeat(error: IpcError): boolean {
    if (error.code !== "UNAVAILABLE" || this.#isFinal || this.#config.isOver()) return false;
    return !error.maybeExecuted || this.#method.idempotency !== "unknown";
  }

  /** The error of a call that was attempted more than once says so. */
  #ending(error: IpcError): IpcError {
    const { code, rawMessage, peerMessage, details, metadata, cause } = error;
    if (this.#attempts < 2 && error.maybeExecuted === this.#mayHaveRun) return error;
    const text = this.#attempts < 2 ? rawMessage : `${rawMessage} (after ${this.#attempts} attempts)`;
    return new IpcError(code, text, {
      details,
      metadata,
      maybeExecuted: this.#mayHaveRun,
      peerMessage,
      cause: cause ?? error,
    });
  }

  /** The requests as they are asked for. What was taken from the user cannot be sent again. */
  async *#requests(): AsyncGenerator<unknown, void, undefined> {
    this.#isFinal = true;
    yield* this.#request as AsyncIterable<unknown> | Iterable<unknown>;
  }
}

/** The responses of the attempt that brings any. The first begins at once; `break` ends it. */
function repeatedStream(call: RepeatedCall): AsyncIterableIterator<unknown> {
  let responses = call.attempt() as AsyncIterableIterator<unknown>;
  let isOver = false;
  let turn: Promise<unknown> = Promise.resolve();
  const next = async (): Promise<IteratorResult<unknown>> => {
    for (;;) {
      if (isOver) return { done: true, value: undefined };
      try {
        const result = await responses.next();
        call.responded();
        return result;
      } catch (error) {
        await call.waitOrThrow(IpcError.from(error));
        if (!isOver) responses = call.attempt() as AsyncIterableIterator<unknown>;
      }
    }
  };
  return {
    next() {
      // One after the other, so that an attempt that failed is repeated once.
      const result = turn.then(next, next);
      turn = result;
      return result;
    },
    async return() {
      isOver = true;
      await responses.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Waits, and keeps the process running meanwhile. Resolves with the signal that ended it before its time. */
function pause(
  host: Host,
  delayMs: number,
  signals: readonly AbortSignal[],
): Promise<AbortSignal | undefined> {
  return new Promise((resolve) => {
    const letGo = host.hold();
    const end = (): void => {
      cancelTimer();
      letGo();
      for (const signal of signals) signal.removeEventListener("abort", end);
      resolve(signals.find(({ aborted }) => aborted));
    };
    const cancelTimer = host.setTimer(end, delayMs);
    for (const signal of signals) signal.addEventListener("abort", end, { once: true });
    if (signals.some(({ aborted }) => aborted)) end();
  });
}
