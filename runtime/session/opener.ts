import type { IpcError } from "../error.js";
import type { WireHello } from "../wire/hello.js";
import { Feature, Flag } from "../wire/kinds.js";
import type { WireMetadata } from "../wire/metadata.js";
import { WireError } from "../wire/wire-error.js";
import type { OpenFields } from "./frame-output.js";
import { MethodIds } from "./method-ids.js";
import { BytesPayload, type Payload } from "./payload.js";
import type { Session } from "./session.js";
import { Stream } from "./stream.js";
import type { StreamReceiver } from "./stream-receiver.js";

/** What a caller says to open a stream. */
export interface OpenRequest {
  /** "package.Service/Method". */
  readonly method: string;
  /** In the session's time; `Infinity`: none. */
  readonly deadlineMs: number;
  readonly metadata: readonly WireMetadata[];
  /** Whether the first message is the only one. */
  readonly isLast: boolean;
  /** Whether more than one response may come, so that more credit than the initial one is of use. */
  readonly manyResponses: boolean;
}

const NO_EXTRA = { messages: 0, bytes: 0 };

/** The largest number that a frame may hold is as good as for ever. */
function toMicroseconds(timeMs: number): number {
  return Math.min(Number.MAX_SAFE_INTEGER, Math.round(timeMs * 1000));
}

/** The streams that this side opens: their ids, the peer's limits on them, and those that wait for their turn. */
export class Opener {
  readonly #session: Session;
  #nextStreamId: number;
  #methodIds: MethodIds | undefined;
  #maxCalls = 0;
  #callsInFlight = 0;
  /** How many bytes of OPEN messages may still be in flight. Below 0: one overdrew. */
  #callBytes = 0;
  #oneWayMessages = 0;
  #oneWayBytes = 0;
  // Sets keep the order, and let those in the middle go at once: many may expire together.
  #calls = new Set<Stream>();
  #oneWays = new Set<Stream>();

  constructor(session: Session) {
    this.#session = session;
    this.#nextStreamId = session.config.side === "dialler" ? 1 : 2;
  }

  /** The peer's Hello came. */
  start(hello: WireHello): void {
    const { limits } = hello;
    this.#maxCalls = limits.maxCalls;
    this.#callBytes = limits.callBytes;
    this.#oneWayMessages = limits.oneWayMessages;
    this.#oneWayBytes = limits.oneWayBytes;
    if ((hello.features & Feature.METHOD_IDS) !== 0) this.#methodIds = new MethodIds(limits.maxMethods);
  }

  /** Whether this side has opened the id at some time. */
  wasOpened(streamId: number): boolean {
    return streamId < this.#nextStreamId;
  }

  /** Opens a call. Throws `IpcError` where that is not possible; `receiver.onEnd` is not called then. */
  openCall(request: OpenRequest, payload: Payload | undefined, receiver: StreamReceiver): Stream {
    const session = this.#session;
    const limits = session.checkOpenable();
    const { initialMessages, initialBytes } = limits;
    const stream = new Stream(session, 0, true, false, request.deadlineMs, initialMessages, initialBytes);
    const extra = request.manyResponses ? stream.widenWindow() : NO_EXTRA;
    stream.receiver = receiver;
    try {
      this.#openOrQueue(this.#calls, stream, request, payload, extra);
    } catch (error) {
      stream.clear();
      throw error;
    }
    session.addDeadline(stream);
    return stream;
  }

  /** Sends a one-way call. `onSent` is told once. Throws as `openCall`. */
  openOneWay(request: OpenRequest, payload: Payload, onSent: (error: IpcError | undefined) => void): Stream {
    const session = this.#session;
    session.checkOpenable();
    const stream = new Stream(session, 0, true, true, request.deadlineMs, 0, 0);
    stream.onOneWay = onSent;
    this.#openOrQueue(this.#oneWays, stream, request, payload, NO_EXTRA);
    if (stream.onOneWay !== undefined) session.addDeadline(stream);
    return stream;
  }

  /** A one-way call is with the link, whole. */
  oneWaySent(stream: Stream): void {
    const onSent = stream.onOneWay;
    stream.onOneWay = undefined;
    this.#session.forget(stream);
    onSent?.(undefined);
  }

  /** A call has ended: its slot and its bytes are free again. */
  callEnded(stream: Stream): void {
    this.#callsInFlight--;
    this.#callBytes += stream.openBytes;
    if (this.#calls.size > 0) this.openQueued();
  }

  /** Credit came for one-way calls. Throws `WireError` above 2^53 - 1. */
  addOneWayCredit(messages: number, bytes: number): void {
    this.#oneWayMessages += messages;
    this.#oneWayBytes += bytes;
    if (Math.max(this.#oneWayMessages, this.#oneWayBytes) > Number.MAX_SAFE_INTEGER) {
      throw new WireError("the sum of one-way credit is above 2^53 - 1");
    }
    if (this.#oneWays.size > 0) this.openQueued();
  }

  /** Opens what waits, in order, as far as the limits and the link allow. False where the link refused. */
  openQueued(): boolean {
    return this.#openFrom(this.#calls) && this.#openFrom(this.#oneWays);
  }

  /** Takes a stream that was not opened out of its queue. */
  unqueue(stream: Stream): void {
    (stream.isOneWay ? this.#oneWays : this.#calls).delete(stream);
    stream.clear();
  }

  /** Every stream that was not opened; they are taken out of the queues. */
  takeQueued(): Stream[] {
    const queued = [...this.#calls, ...this.#oneWays];
    this.#calls = new Set();
    this.#oneWays = new Set();
    for (const stream of queued) stream.clear();
    return queued;
  }

  /** Why a stream is not opened yet. */
  describeWait(stream: Stream): string {
    const limits = this.#session.peer?.limits;
    if (limits === undefined || this.hasRoom(stream)) return "the link is full (sendBufferBytes)";
    if (stream.isOneWay) {
      return `the peer's limits are oneWayMessages ${limits.oneWayMessages}, oneWayBytes ${limits.oneWayBytes}`;
    }
    return `the peer's limits are maxCalls ${limits.maxCalls}, callBytes ${limits.callBytes}`;
  }

  /** Whether the peer's limits let the stream be opened now. */
  hasRoom(stream: Stream): boolean {
    if (stream.isOneWay) return this.#oneWayMessages > 0 && this.#oneWayBytes > 0;
    return this.#callsInFlight < this.#maxCalls && this.#callBytes > 0;
  }

  /** Opens the stream now, or queues it. Throws for a message that cannot be sent. */
  #openOrQueue(
    queue: Set<Stream>,
    stream: Stream,
    request: OpenRequest,
    payload: Payload | undefined,
    extra: { readonly messages: number; readonly bytes: number },
  ): void {
    const session = this.#session;
    const mayOpen = queue.size === 0 && this.hasRoom(stream);
    const isLarge = payload !== undefined && payload.maxBytes > session.maxDirectBytes;
    if (mayOpen && !isLarge && this.#send(stream, request, payload, extra.messages, extra.bytes)) return;
    const kept = payload === undefined ? undefined : session.keep(payload);
    if (mayOpen && isLarge && this.#send(stream, request, kept, extra.messages, extra.bytes)) {
      kept?.drop();
      return;
    }
    stream.queuedOpen = { request, payload: kept, ...extra };
    queue.add(stream);
    session.handler.onDirty();
  }

  #openFrom(queue: Set<Stream>): boolean {
    const done: Stream[] = [];
    let isLinkFull = false;
    for (const stream of queue) {
      if (!this.hasRoom(stream)) break;
      const queued = stream.queuedOpen!;
      const { request, payload, messages, bytes } = queued;
      // A one-way call that is sent is over at once, and would drop what it holds.
      stream.queuedOpen = undefined;
      if (!this.#send(stream, request, payload, messages, bytes)) {
        stream.queuedOpen = queued;
        isLinkFull = true;
        break;
      }
      payload?.drop();
      queue.delete(stream);
      done.push(stream);
    }
    for (const stream of done) stream.wasOpened();
    return !isLinkFull;
  }

  /** Commits the OPEN, or its first part. A large payload is encoded. False where the link is full. */
  #send(
    stream: Stream,
    request: OpenRequest,
    payload: Payload | undefined,
    messages: number,
    bytes: number,
  ): boolean {
    const session = this.#session;
    const methodId = this.#methodIds === undefined ? 0 : this.#methodIds.idOf(request.method, session.output);
    if (methodId === undefined) return false;
    const { sharedClockOffsetMs } = session;
    const { deadlineMs, metadata, method } = request;
    const hasDeadline = deadlineMs !== Number.POSITIVE_INFINITY;
    const isShared = sharedClockOffsetMs !== undefined;
    const oneWayFlag = stream.isOneWay ? Flag.ONE_WAY : 0;
    const lastFlag = request.isLast ? Flag.LAST : 0;
    const fields = {
      streamId: this.#nextStreamId,
      flags: oneWayFlag | lastFlag,
      methodId,
      method,
      timeUs: hasDeadline && isShared ? toMicroseconds(deadlineMs + sharedClockOffsetMs) : 0,
      timeoutUs:
        hasDeadline && !isShared ? Math.max(1, toMicroseconds(deadlineMs - session.config.now())) : 0,
      messages,
      bytes,
      metadata,
    };
    if (payload instanceof BytesPayload && payload.maxBytes > session.maxDirectBytes) {
      return this.#sendLarge(stream, fields, payload, lastFlag);
    }
    if (!session.output.open(fields, payload)) return false;
    this.#took(stream, payload === undefined ? 0 : session.output.payloadBytes);
    if (stream.isOneWay) this.oneWaySent(stream);
    return true;
  }

  #sendLarge(stream: Stream, fields: OpenFields, payload: BytesPayload, lastFlag: number): boolean {
    const session = this.#session;
    const { output, maxInlineBytes } = session;
    if (session.isInBlock(payload)) {
      if (output.openInBlock(fields, payload)) return this.#tookWhole(stream, payload);
      if (output.isFull) return false;
    }
    if (payload.maxBytes <= maxInlineBytes) {
      return output.open(fields, payload) && this.#tookWhole(stream, payload);
    }
    const first = payload.part(payload.start, payload.start + maxInlineBytes);
    const flags = (fields.flags & ~Flag.LAST) | Flag.MORE;
    if (!output.open({ ...fields, flags }, first)) return false;
    this.#took(stream, payload.maxBytes);
    stream.sendRest(payload, first.end, lastFlag);
    return true;
  }

  #tookWhole(stream: Stream, payload: BytesPayload): true {
    this.#took(stream, payload.maxBytes);
    if (stream.isOneWay) this.oneWaySent(stream);
    return true;
  }

  /** The stream has its id, and its share of the peer's limits. */
  #took(stream: Stream, size: number): void {
    stream.id = this.#nextStreamId;
    this.#nextStreamId += 2;
    stream.opened = true;
    stream.openBytes = size;
    this.#session.streams.add(stream);
    if (stream.isOneWay) {
      this.#oneWayMessages--;
      this.#oneWayBytes -= size;
    } else {
      this.#callsInFlight++;
      this.#callBytes -= size;
    }
  }
}
