import type { Lent, ReceivedBlock } from "../transports/transport.js";
import { borrowForCall } from "./borrowed-message.js";
import type { CallContext } from "./call-context.js";
import type { Codec } from "./codec/codec.js";
import type { Connection } from "./connection.js";
import type { AnyMethod } from "./definition.js";
import { IpcError, isIpcError } from "./error.js";
import { MessageQueue } from "./message-queue.js";
import { Metadata } from "./metadata.js";
import { fromWire, toWire } from "./metadata-wire.js";
import type { Peer } from "./peer.js";
import type { Payload } from "./session/payload.js";
import { NO_METADATA, type Stream } from "./session/stream.js";
import type { StreamReceiver } from "./session/stream-receiver.js";
import { undecodable } from "./undecodable.js";
import type { WireMetadata } from "./wire/metadata.js";

/** Takes one request, or the queue of requests, and answers with one response or an iterable of them. */
export type AnyHandler = (request: unknown, call: CallContext) => unknown;

/** Who is told how calls go. */
export interface CallObserver {
  onStarted(): void;
  /** The handler threw something other than an `IpcError`; or, in a one-way call, the call was not carried out. */
  onFailed(error: IpcError, call: CallContext, isUnexpected: boolean): void;
  /** A one-way call came that nobody serves. */
  onOneWayNotServed(): void;
}

const COUNTED_ON_LINK = -1;

/** One call that a peer makes: collects its requests, runs the handler, sends what it answers. */
export class ServerCall implements StreamReceiver, CallContext {
  readonly method: AnyMethod;
  readonly #connection: Connection;
  readonly #stream: Stream;
  readonly #handler: AnyHandler;
  readonly #observer: CallObserver;
  readonly #wireMetadata: readonly WireMetadata[];
  #metadata: Metadata | undefined;
  #header: Metadata | undefined;
  #trailer: Metadata | undefined;
  #isHeaderSent = false;
  #abort: AbortController | undefined;
  #cancelled: IpcError | undefined;
  #isStarted = false;
  #hasRequest = false;
  #requests: MessageQueue<unknown> | undefined;
  #onSendable: (() => void) | undefined;
  #responses: Iterator<unknown> | AsyncIterator<unknown> | undefined;
  /** The caller's memory that fields of the request are, until the call is finished. */
  #lent: Lent | undefined;
  /** There where large fields are borrowed. */
  readonly onBlock: StreamReceiver["onBlock"];

  constructor(
    connection: Connection,
    stream: Stream,
    method: AnyMethod,
    handler: AnyHandler,
    metadata: readonly WireMetadata[],
    observer: CallObserver,
    borrows: boolean,
  ) {
    this.#connection = connection;
    this.#stream = stream;
    this.method = method;
    this.#handler = handler;
    this.#wireMetadata = metadata;
    this.#observer = observer;
    if (hasManyRequests(method)) {
      this.#requests = new MessageQueue({
        onTaken: (bytes) => {
          if (bytes !== COUNTED_ON_LINK) stream.consumed(bytes);
        },
        onAbandoned: () => undefined,
      });
      connection.handlers.start(() => this.#start(this.#requests));
    }
    this.onBlock = borrows && this.#requests === undefined ? (block) => this.#onBlock(block) : undefined;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#cancelled !== undefined) this.#abort.abort(this.#cancelled);
    }
    return this.#abort.signal;
  }

  get deadline(): number | undefined {
    const { deadlineMs } = this.#stream;
    return deadlineMs === Number.POSITIVE_INFINITY ? undefined : deadlineMs;
  }

  timeoutMs(): number | undefined {
    const { deadline } = this;
    return deadline === undefined ? undefined : Math.max(0, deadline - this.#connection.owner.host.now());
  }

  get metadata(): Metadata {
    this.#metadata ??= fromWire(this.#wireMetadata);
    return this.#metadata;
  }

  get header(): Metadata {
    this.#header ??= new Metadata();
    return this.#header;
  }

  get trailer(): Metadata {
    this.#trailer ??= new Metadata();
    return this.#trailer;
  }

  get peer(): Peer {
    return this.#connection.peer!;
  }

  sendHeader(): void {
    if (this.#isHeaderSent || this.#stream.isOneWay) return;
    this.#isHeaderSent = true;
    this.#stream.sendHeaders(toWire(this.#header, this.#stream.session.peer?.limits));
  }

  onMessage(bytes: Uint8Array, start: number, end: number, mayAlias: boolean): void {
    let request: unknown;
    try {
      const { maxNesting } = this.#connection.owner.limits;
      request = this.method.request.decode(bytes, start, end, mayAlias, maxNesting);
    } catch (cause) {
      this.#refuseRequest(cause);
      return;
    }
    if (this.#requests !== undefined) {
      // The message of the OPEN took none of the stream's credit.
      const isOpening = this.#stream.openBytes > 0 && !this.#hasRequest;
      this.#hasRequest = true;
      this.#requests.push(request, isOpening ? COUNTED_ON_LINK : end - start);
    } else {
      this.#onOnlyRequest(request);
    }
  }

  #onBlock(block: ReceivedBlock): void {
    try {
      const { maxNesting } = this.#connection.owner.limits;
      const { session } = this.#stream;
      const { message, lent } = borrowForCall(session, this.method.request, block, maxNesting);
      if (this.#isStarted) lent?.end();
      else this.#lent = lent;
      this.#onOnlyRequest(message);
    } catch (cause) {
      this.#refuseRequest(cause);
    }
  }

  #onOnlyRequest(request: unknown): void {
    if (this.#isStarted) {
      this.#refuse(
        new IpcError("INVALID_ARGUMENT", `${this.method.fullName} takes one request, a second one came`),
      );
    } else {
      this.#isStarted = true;
      this.#connection.handlers.start(() => this.#start(request));
    }
  }

  onLast(): void {
    if (this.#requests !== undefined) this.#requests.end();
    else if (!this.#isStarted) {
      this.#refuse(new IpcError("INVALID_ARGUMENT", `${this.method.fullName} takes one request, none came`));
    }
  }

  onCancel(reason: IpcError): void {
    this.#cancel(reason);
    if (!this.#isStarted && this.#requests === undefined) this.#finish(reason, undefined, NO_METADATA, false);
  }

  onSendable(): void {
    const wake = this.#onSendable;
    this.#onSendable = undefined;
    wake?.();
  }

  onHeaders(): void {}
  onKey(): void {}
  onLost(): void {}
  onEnd(): void {}

  /** The request cannot be decoded. */
  #refuseRequest(cause: unknown): void {
    this.#refuse(undecodable("the request", this.method.request.typeName, "INVALID_ARGUMENT", cause));
  }

  /** As `finish` of the stream. What was borrowed is given back. */
  #finish(
    error: IpcError | undefined,
    response: Payload | undefined,
    trailer: readonly WireMetadata[],
    wasStarted: boolean,
  ): void {
    this.#stream.finish(error, response, trailer, wasStarted);
    this.#lent?.end();
    this.#lent = undefined;
  }

  /** The request is wrong: the handler, if it runs, is told to stop, and the caller learns why. */
  #refuse(error: IpcError): void {
    if (this.#stream.isOneWay) this.#observer.onFailed(error, this, false);
    this.#cancel(error);
    if (!this.#isStarted || this.#stream.isOneWay)
      this.#finish(error, undefined, NO_METADATA, this.#isStarted);
  }

  #cancel(reason: IpcError): void {
    if (this.#cancelled !== undefined) return;
    this.#cancelled = reason;
    this.#abort?.abort(reason);
    this.#requests?.end(reason);
    // A generator that stands at a yield runs its `finally` now; one that awaits does so when it comes back.
    if (this.#responses !== undefined) void stopIteration(this.#responses);
    this.onSendable();
  }

  #start(request: unknown): void {
    this.#isStarted = true;
    if (this.#cancelled !== undefined) {
      this.#finish(this.#cancelled, undefined, NO_METADATA, false);
      return;
    }
    this.#observer.onStarted();
    let result: unknown;
    try {
      result = this.#handler(request, this);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (hasManyResponses(this.method)) void this.#sendAll(result);
    else if (isThenable(result)) {
      result.then(
        (response) => this.#respond(response),
        (error: unknown) => this.#fail(error),
      );
    } else {
      this.#respond(result);
    }
  }

  #respond(response: unknown): void {
    const stream = this.#stream;
    if (this.#cancelled !== undefined || stream.isOneWay) {
      this.#finish(this.#cancelled, undefined, NO_METADATA, true);
      return;
    }
    try {
      if (this.#header !== undefined) this.sendHeader();
      const { session } = stream;
      const trailer = this.#trailer === undefined ? NO_METADATA : this.#wireTrailer();
      const payload = session.isOpen ? session.message.set(this.method.response, response) : undefined;
      if (payload !== undefined) this.#connection.handlers.answered(payload.maxBytes);
      this.#finish(undefined, payload, trailer, true);
    } catch (error) {
      this.#fail(isIpcError(error) ? error : this.#unencodable(error));
    }
  }

  async #sendAll(result: unknown): Promise<void> {
    try {
      const responses = iteratorOf(isThenable(result) ? await result : result, this.method);
      this.#responses = responses;
      for (;;) {
        if (this.#cancelled !== undefined) break;
        const next = responses.next();
        const { done, value } = isThenable(next) ? ((await next) as IteratorResult<unknown>) : next;
        if (done === true) break;
        const response = isThenable(value) ? await value : value;
        if (this.#header !== undefined) this.sendHeader();
        while (this.#cancelled === undefined && !this.#trySend(response)) await this.#sendable();
      }
      if (this.#cancelled !== undefined) await stopIteration(responses);
      else if (this.#header !== undefined) this.sendHeader();
      const trailer = this.#trailer === undefined ? NO_METADATA : this.#wireTrailer();
      this.#finish(this.#cancelled, undefined, trailer, true);
    } catch (error) {
      if (this.#responses !== undefined) void stopIteration(this.#responses);
      this.#fail(error);
    }
  }

  #trySend(response: unknown): boolean {
    try {
      return this.#stream.trySendMessage(this.method.response as Codec<unknown, unknown>, response, false);
    } catch (error) {
      throw isIpcError(error) ? error : this.#unencodable(error);
    }
  }

  #sendable(): Promise<void> {
    return new Promise((resolve) => {
      this.#onSendable = resolve;
    });
  }

  #fail(thrown: unknown): void {
    const isUnexpected = !isIpcError(thrown);
    const { fullName } = this.method;
    const error = isUnexpected
      ? new IpcError("UNKNOWN", `the handler of ${fullName} failed`, { cause: thrown })
      : thrown;
    // A handler that gives up because it was told to has not failed.
    const isAbort = this.#cancelled !== undefined;
    if (!isAbort && (isUnexpected || this.#stream.isOneWay))
      this.#observer.onFailed(error, this, isUnexpected);
    try {
      if (this.#header !== undefined) this.sendHeader();
      const trailer = this.#trailer ?? error.metadata;
      const { peer } = this.#stream.session;
      this.#finish(this.#cancelled ?? error, undefined, toWire(trailer, peer?.limits), true);
    } catch {
      // Metadata beyond the peer's limit is given up: that the call failed matters more.
      this.#finish(this.#cancelled ?? error, undefined, NO_METADATA, true);
    }
  }

  #unencodable(cause: unknown): IpcError {
    const text = `a response of ${this.method.fullName} could not be encoded as ${this.method.response.typeName}`;
    const error = new IpcError("INTERNAL", text, { cause });
    this.#observer.onFailed(error, this, true);
    return error;
  }

  #wireTrailer(): readonly WireMetadata[] {
    return toWire(this.#trailer, this.#stream.session.peer?.limits);
  }
}

/** Whether the handler takes a queue of requests. */
export function hasManyRequests(method: AnyMethod): boolean {
  return method.kind === "clientStreaming" || method.kind === "bidiStreaming";
}

/** Whether the handler answers with an iterable. */
export function hasManyResponses(method: AnyMethod): boolean {
  return method.kind === "serverStreaming" || method.kind === "bidiStreaming";
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

function iteratorOf(result: unknown, method: AnyMethod): Iterator<unknown> | AsyncIterator<unknown> {
  if (typeof result === "object" && result !== null) {
    if (Symbol.asyncIterator in result) return (result as AsyncIterable<unknown>)[Symbol.asyncIterator]();
    if (Symbol.iterator in result) return (result as Iterable<unknown>)[Symbol.iterator]();
  }
  throw new TypeError(`the handler of ${method.fullName} did not return an iterable`);
}

async function stopIteration(iterator: Iterator<unknown> | AsyncIterator<unknown>): Promise<void> {
  try {
    await iterator.return?.();
  } catch {
    // The call is over already: what a handler throws on its way out has no reader.
  }
}
