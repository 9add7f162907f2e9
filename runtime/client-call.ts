import type { ReceivedBlock } from "../transports/transport.js";
import { borrowForCall } from "./borrowed-message.js";
import type { CallOptions } from "./call-options.js";
import type { BorrowedMessage } from "./codec/borrow.js";
import type { Connection } from "./connection.js";
import type { AnyMethod } from "./definition.js";
import { IpcError, isIpcError } from "./error.js";
import type { Host } from "./host.js";
import { MessageQueue } from "./message-queue.js";
import { fromWire, toWire } from "./metadata-wire.js";
import { hasManyResponses } from "./server-call.js";
import type { OpenRequest } from "./session/opener.js";
import type { Stream } from "./session/stream.js";
import type { StreamReceiver } from "./session/stream-receiver.js";
import { withMaybeExecuted } from "./session/status.js";
import { undecodable } from "./undecodable.js";
import type { WireMetadata } from "./wire/metadata.js";

/** A call's end in time, and what may end it sooner. */
export interface CallBounds {
  /** In the host's time; `Infinity`: none. */
  readonly deadlineMs: number;
  readonly signals: readonly AbortSignal[];
}

const NO_SIGNALS: readonly AbortSignal[] = [];
/** No end at all. */
export const UNBOUNDED: CallBounds = { deadlineMs: Number.POSITIVE_INFINITY, signals: NO_SIGNALS };

/** Reads the bounds out of the options. Throws a `TypeError` that names the option. */
export function boundsOf(
  options: CallOptions | undefined,
  defaultTimeoutMs: number | undefined,
  host: Host,
): CallBounds {
  if (options === undefined && defaultTimeoutMs === undefined) return UNBOUNDED;
  const timeoutMs = options?.timeoutMs ?? defaultTimeoutMs;
  if (timeoutMs !== undefined && !(timeoutMs > 0)) {
    throw new TypeError(`timeoutMs is ${timeoutMs}; it must be a number above 0`);
  }
  const own = timeoutMs === undefined ? Number.POSITIVE_INFINITY : host.now() + timeoutMs;
  const parent = options?.parent;
  const deadlineMs = Math.min(own, parent?.deadline ?? Number.POSITIVE_INFINITY);
  if (options?.signal === undefined && parent === undefined) return { deadlineMs, signals: NO_SIGNALS };
  const signals = [options?.signal, parent?.signal].filter((signal) => signal !== undefined);
  return { deadlineMs, signals };
}

/** Why a signal aborted, as an error. */
export function abortError(signal: AbortSignal): IpcError {
  const { reason } = signal;
  if (isIpcError(reason)) return withMaybeExecuted(reason, false);
  const timedOut = reason instanceof Error && reason.name === "TimeoutError";
  return new IpcError(timedOut ? "DEADLINE_EXCEEDED" : "CANCELLED", "the call was cancelled by its signal", {
    cause: reason,
  });
}

/** Why a call must not begin, where its bounds are reached already. */
export function boundsReached({ deadlineMs, signals }: CallBounds, host: Host): IpcError | undefined {
  for (const signal of signals) if (signal.aborted) return abortError(signal);
  if (deadlineMs === Number.POSITIVE_INFINITY || deadlineMs > host.now()) return undefined;
  return new IpcError("DEADLINE_EXCEEDED", "the deadline passed before the call was sent");
}

/** What is done with the outcome of a call. */
export interface CallSink {
  /** One response, of so many bytes. */
  onResponse(response: unknown, bytes: number): void;
  /** One response, of so many bytes, with fields that are the peer's memory, to be ended by the sink. Without it there are none. */
  onBorrowed?(borrowed: BorrowedMessage, bytes: number): void;
  /** What is borrowed cannot be read after this: as `StreamReceiver.onMemoryGoing`. */
  onMemoryGoing?(): void;
  /** Called once, last. */
  onDone(error: IpcError | undefined): void;
}

/** One call on one connection: sends the request, hands on what comes back. */
export class ClientCall implements StreamReceiver {
  readonly #method: AnyMethod;
  readonly #options: CallOptions | undefined;
  readonly #bounds: CallBounds;
  readonly #sink: CallSink;
  #stream: Stream | undefined;
  #maxNesting: number | undefined;
  #isDone = false;
  #onAbort: (() => void) | undefined;
  #onSendable: (() => void) | undefined;
  /** There where large fields are borrowed. */
  readonly onBlock: StreamReceiver["onBlock"];

  constructor(method: AnyMethod, options: CallOptions | undefined, bounds: CallBounds, sink: CallSink) {
    this.#method = method;
    this.#options = options;
    this.#bounds = bounds;
    this.#sink = sink;
    this.onBlock = sink.onBorrowed === undefined ? undefined : (block) => this.#onBlock(block);
  }

  /** Opens the call with its only request. `undefined` where it is over already. */
  startWith(connection: Connection, request: unknown): Stream | undefined {
    if (!this.#mayStart(connection)) return undefined;
    const { session } = connection;
    try {
      const payload = session.isOpen ? session.message.set(this.#method.request, request) : undefined;
      const stream = session.opener.openCall(this.#openRequest(connection, true), payload, this);
      this.#opened(stream);
      return stream;
    } catch (error) {
      this.#finish(asRequestError(error, this.#method));
      return undefined;
    }
  }

  /** Opens the call and sends the requests as they come. */
  startWithMany(connection: Connection, requests: AsyncIterable<unknown> | Iterable<unknown>): void {
    if (!this.#mayStart(connection)) return;
    try {
      this.#opened(connection.session.opener.openCall(this.#openRequest(connection, false), undefined, this));
    } catch (error) {
      this.#finish(asRequestError(error, this.#method));
      return;
    }
    void this.#sendAll(requests);
  }

  /** Ends the call before it has begun. */
  failBeforeStart(error: IpcError): void {
    this.#finish(error);
  }

  cancel(reason: IpcError): void {
    if (this.#stream === undefined) this.#finish(reason);
    else this.#stream.cancel(reason);
  }

  /** The user has taken a response. */
  consumed(bytes: number): void {
    this.#stream?.consumed(bytes);
  }

  onHeaders(metadata: readonly WireMetadata[]): void {
    const onHeader = this.#options?.onHeader;
    if (onHeader !== undefined && !this.#isDone) this.#tell(() => onHeader(fromWire(metadata)));
  }

  onMessage(bytes: Uint8Array, start: number, end: number, mayAlias: boolean): void {
    if (this.#isDone) return;
    let response: unknown;
    try {
      response = this.#method.response.decode(bytes, start, end, mayAlias, this.#maxNesting);
    } catch (cause) {
      this.#refuse(cause);
      return;
    }
    this.#sink.onResponse(response, end - start);
  }

  #onBlock(block: ReceivedBlock): void {
    if (this.#isDone) return;
    const { session } = this.#stream!;
    let borrowed: BorrowedMessage;
    try {
      borrowed = borrowForCall(session, this.#method.response, block, this.#maxNesting);
    } catch (cause) {
      this.#refuse(cause);
      return;
    }
    this.#sink.onBorrowed!(borrowed, block.length);
  }

  /** The response cannot be decoded. */
  #refuse(cause: unknown): void {
    const error = undecodable("the response", this.#method.response.typeName, "INTERNAL", cause);
    this.cancel(withMaybeExecuted(error, true));
  }

  onEnd(error: IpcError | undefined, trailer: readonly WireMetadata[]): void {
    if (trailer.length > 0 && !this.#isDone) {
      const metadata = fromWire(trailer);
      const onTrailer = this.#options?.onTrailer;
      if (onTrailer !== undefined) this.#tell(() => onTrailer(metadata));
      if (error !== undefined) {
        const { code, rawMessage, details, maybeExecuted, cause } = error;
        this.#finish(new IpcError(code, rawMessage, { details, maybeExecuted, cause, metadata }));
        return;
      }
    }
    this.#finish(error);
  }

  onSendable(): void {
    const wake = this.#onSendable;
    this.#onSendable = undefined;
    wake?.();
  }

  onMemoryGoing(): void {
    this.#sink.onMemoryGoing?.();
  }

  onLast(): void {}
  onCancel(): void {}
  onKey(): void {}
  onLost(): void {}

  /** False where the call is over already, or is now, so that nothing is sent. */
  #mayStart(connection: Connection): boolean {
    if (this.#isDone) return false;
    const reached = boundsReached(this.#bounds, connection.owner.host);
    if (reached !== undefined) this.#finish(reached);
    this.#maxNesting = connection.owner.limits.maxNesting;
    return reached === undefined;
  }

  #openRequest(connection: Connection, isLast: boolean): OpenRequest {
    const { peer } = connection.session;
    return {
      method: this.#method.fullName,
      deadlineMs: this.#bounds.deadlineMs,
      metadata: toWire(this.#options?.metadata, peer?.limits),
      isLast,
      manyResponses: hasManyResponses(this.#method),
    };
  }

  #opened(stream: Stream): void {
    this.#stream = stream;
    const { signals } = this.#bounds;
    if (signals.length === 0) return;
    this.#onAbort = () => {
      const aborted = signals.find((signal) => signal.aborted);
      if (aborted !== undefined) stream.cancel(abortError(aborted));
    };
    for (const signal of signals) signal.addEventListener("abort", this.#onAbort, { once: true });
    this.#onAbort();
  }

  async #sendAll(requests: AsyncIterable<unknown> | Iterable<unknown>): Promise<void> {
    const stream = this.#stream!;
    try {
      for await (const request of requests) {
        while (!this.#isDone && !this.#trySend(stream, request)) await this.#sendable();
        if (this.#isDone) return;
      }
      while (!this.#isDone && !stream.trySendLast()) await this.#sendable();
    } catch (thrown) {
      const text = `the requests of ${this.#method.fullName} failed`;
      this.cancel(isIpcError(thrown) ? thrown : new IpcError("CANCELLED", text, { cause: thrown }));
    }
  }

  #trySend(stream: Stream, request: unknown): boolean {
    try {
      return stream.trySendMessage(this.#method.request, request, false);
    } catch (error) {
      throw asRequestError(error, this.#method);
    }
  }

  #sendable(): Promise<void> {
    return new Promise((resolve) => {
      this.#onSendable = resolve;
    });
  }

  #finish(error: IpcError | undefined): void {
    if (this.#isDone) return;
    this.#isDone = true;
    if (this.#onAbort !== undefined) {
      for (const signal of this.#bounds.signals) signal.removeEventListener("abort", this.#onAbort);
    }
    this.onSendable();
    this.#sink.onDone(error);
  }

  /** A callback of the user's that throws ends the call with what it threw. */
  #tell(callback: () => void): void {
    try {
      callback();
    } catch (cause) {
      const text = `a callback of ${this.#method.fullName} failed`;
      const error = new IpcError("CANCELLED", text, { cause, maybeExecuted: true });
      this.cancel(error);
      // A stream that is over cannot be cancelled; the call is not finished yet.
      this.#finish(error);
    }
  }
}

/** The promise of a method with one response. */
export function singleResponse(
  method: AnyMethod,
  options: CallOptions | undefined,
  bounds: CallBounds,
  start: (call: ClientCall) => void,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let response: unknown;
    let count = 0;
    start(
      new ClientCall(method, options, bounds, {
        onResponse(message) {
          response = message;
          count++;
        },
        onDone(error) {
          if (error !== undefined) reject(error);
          else if (count === 1) resolve(response);
          else reject(notOneResponse(method, count));
        },
      }),
    );
  });
}

/** What a method with one response ends with where there are none or several. */
export function notOneResponse(method: AnyMethod, count: number): IpcError {
  const text = `${method.fullName} ended well with ${count} responses instead of one`;
  return new IpcError("INTERNAL", text, { maybeExecuted: true });
}

/** Why a call ends whose caller wants no more of it. */
export function stoppedReading(): IpcError {
  return new IpcError("CANCELLED", "the caller stopped reading the responses");
}

/** The iterable of a method with many responses. The call begins at once; `break` cancels it. */
export function manyResponses(
  method: AnyMethod,
  options: CallOptions | undefined,
  bounds: CallBounds,
  start: (call: ClientCall) => void,
): AsyncIterableIterator<unknown> {
  const queue = new MessageQueue<unknown>({
    onTaken: (bytes) => call.consumed(bytes),
    onAbandoned: () => call.cancel(stoppedReading()),
  });
  const call = new ClientCall(method, options, bounds, {
    onResponse: (response, bytes) => queue.push(response, bytes),
    onDone: (error) => queue.end(error),
  });
  start(call);
  return queue;
}

/** What a call throws for a request that cannot be sent. */
export function asRequestError(error: unknown, method: AnyMethod): IpcError {
  if (isIpcError(error)) return error;
  const text = `a request of ${method.fullName} could not be encoded as ${method.request.typeName}`;
  return new IpcError("INVALID_ARGUMENT", text, { cause: error });
}
