import type { Link, LinkEnd, LinkReceiver, ReceivedBlock } from "../../transports/transport.js";
import { IpcError } from "../error.js";
import type { WireHello, WireLimits } from "../wire/hello.js";
import { DEFAULT_WIRE_LIMITS, encodeHello } from "../wire/hello.js";
import { Feature, Flag, PROTOCOL_VERSION } from "../wire/kinds.js";
import type { WireMetadata } from "../wire/metadata.js";
import { Deadlines } from "./deadlines.js";
import { FrameOutput } from "./frame-output.js";
import type { HeldRecords } from "./held-records.js";
import { linkLost } from "./link-lost.js";
import { Opener } from "./opener.js";
import { BytesPayload, keep, MessagePayload, type Payload } from "./payload.js";
import { receiveRecord } from "./receive.js";
import type { GrantBudget } from "./receive-window.js";
import type { SessionConfig, SessionHandler } from "./session-user.js";
import { statusOf, withMaybeExecuted } from "./status.js";
import { NO_METADATA, type Stream } from "./stream.js";
import type { StreamReceiver } from "./stream-receiver.js";
import { StreamTable } from "./stream-table.js";

const PASSED = "the deadline has passed";

/**
 * The protocol on one link: handshake, streams, credit, deadlines, cancellation, draining. It does no I/O and has no
 * clock or timer of its own: records, ticks and its user's decisions come in, records and events go out.
 */
export class Session implements LinkReceiver {
  readonly config: SessionConfig;
  readonly link: Link;
  readonly handler: SessionHandler;
  readonly output: FrameOutput;
  readonly opener: Opener;
  readonly grantBudget: GrantBudget;
  /** Encodes the message that is being sent. */
  readonly message: MessagePayload = new MessagePayload();
  /** Streams that are not over, of both sides. */
  readonly streams: StreamTable = new StreamTable();

  /** What came for others while a call blocked the thread. */
  held: HeldRecords | undefined;
  /** Whether a record is being delivered: then no other can be waited for. */
  isDelivering = false;
  /** The peer's Hello; `undefined` until it came. */
  peer: WireHello | undefined;
  /** Why the session is over. */
  closedBy: IpcError | undefined;
  /** Payloads above this are sent in parts, unless they are in a block. */
  maxInlineBytes: number = Number.POSITIVE_INFINITY;
  /** Payloads up to this are encoded in place: they fit a frame and the peer's limit, and are too small for a block. */
  maxDirectBytes = 0;
  /** The offset of the clock that both sides share, or `undefined` where they share none. */
  sharedClockOffsetMs: number | undefined;

  /** What the peer's calls have taken of our limits. */
  peerCallsInFlight = 0;
  peerCallBytes: number;
  peerOneWayMessages: number;
  peerOneWayBytes: number;
  lastPeerStreamId = 0;
  /** The methods that the peer has announced, by number. */
  readonly peerMethods: Map<number, string> = new Map();

  isDraining = false;
  isPeerDraining = false;
  /** The last stream that we accepted before we drained. */
  #drainLast = 0;
  #drainSent = false;
  #drainedTold = false;
  #helloSent = false;
  #oneWayGrantMessages = 0;
  #oneWayGrantBytes = 0;
  #oneWayGrantDue = false;
  readonly #deadlines = new Deadlines<Stream>();
  #handshakeDeadlineMs = Number.POSITIVE_INFINITY;
  #waiting: Stream[] = [];
  #pendingResponseBytes = 0;

  constructor(link: Link, config: SessionConfig, handler: SessionHandler) {
    const { limits } = config;
    this.link = link;
    this.config = config;
    this.handler = handler;
    this.output = new FrameOutput(link, () => handler.onDirty());
    this.grantBudget = { bytes: limits.streamBudgetBytes };
    this.opener = new Opener(this);
    this.peerCallBytes = limits.callBytes;
    this.peerOneWayMessages = limits.oneWayMessages;
    this.peerOneWayBytes = limits.oneWayBytes;
  }

  /** Introduces us and begins to receive. */
  start(): void {
    this.#handshakeDeadlineMs = this.config.now() + this.config.limits.handshakeTimeoutMs;
    this.handler.onWakeAt(this.#handshakeDeadlineMs);
    this.link.start(this);
    this.#helloSent = this.output.hello(this.#hello());
  }

  /** Whether streams may be used. */
  get isOpen(): boolean {
    return this.peer !== undefined && this.closedBy === undefined;
  }

  /** The bytes of responses that wait for the peer: for credit, or for room in the link. */
  get pendingResponseBytes(): number {
    return this.#pendingResponseBytes;
  }

  /** Whether so many responses wait for the peer that further calls should not be started. */
  get isCongested(): boolean {
    return this.#pendingResponseBytes > this.config.limits.maxPendingResponseBytes;
  }

  /** The largest header that the peer accepts, in bytes. */
  get peerHeaderBytes(): number {
    return this.peer?.limits.maxHeaderBytes ?? DEFAULT_WIRE_LIMITS.maxHeaderBytes;
  }

  /** The peer's limits. Throws where no stream can be opened now. */
  checkOpenable(): WireLimits {
    if (this.closedBy !== undefined) throw withMaybeExecuted(this.closedBy, false);
    if (this.peer === undefined) throw new IpcError("UNAVAILABLE", "the peer has not introduced itself yet");
    if (this.isDraining) throw new IpcError("UNAVAILABLE", "this endpoint is closing");
    if (this.isPeerDraining) throw new IpcError("UNAVAILABLE", "the peer is closing");
    return this.peer.limits;
  }

  /**
   * The payload encoded, in a block of the link's where it is large enough for one and there is room. The caller has a
   * hold. Throws for one that the peer would not accept.
   */
  keep(payload: Payload): BytesPayload {
    const kept = keep(payload, this.link.blocks);
    const limit = this.peer!.limits.maxMessageBytes;
    if (kept.maxBytes <= limit) return kept;
    const size = kept.maxBytes;
    kept.drop();
    throw new IpcError(
      "RESOURCE_EXHAUSTED",
      `a message of ${size} bytes is above the receiver's limit of ${limit} bytes (maxMessageBytes)`,
    );
  }

  /** Whether the link can send the payload from where it stands. */
  isInBlock({ store, maxBytes }: BytesPayload): boolean {
    return store !== undefined && store === this.link.blocks && maxBytes >= store.minBytes;
  }

  /** A one-way call's handler has returned: the peer may send another, and so many bytes. */
  #grantOneWay(bytes: number): void {
    this.#oneWayGrantMessages++;
    this.#oneWayGrantBytes += bytes;
    const { oneWayMessages, oneWayBytes } = this.config.limits;
    if (this.#oneWayGrantMessages * 2 < oneWayMessages && this.#oneWayGrantBytes * 2 < oneWayBytes) return;
    this.#oneWayGrantDue = true;
    if (this.isOpen) this.#sendOneWayGrant();
  }

  /** Accepts no new stream, and says so. Streams that exist go on; `onDrained` follows the last. */
  drain(): void {
    if (this.isDraining || this.closedBy !== undefined) return;
    this.isDraining = true;
    this.#drainLast = this.lastPeerStreamId;
    this.#failQueued(new IpcError("UNAVAILABLE", "this endpoint is closing"));
    // A peer that has not introduced itself has opened nothing, and is not told.
    if (this.peer === undefined) this.#drainSent = true;
    this.handler.onDirty();
    this.#checkDrained();
  }

  /**
   * Ends the session with a reason, which the peer is told as far as there is room. `ownReason`: what this side is told,
   * where that differs.
   */
  close(reason: IpcError, ownReason: IpcError = reason): void {
    if (this.closedBy !== undefined) return;
    if (this.#helloSent) this.output.close(statusOf(reason, this.peerHeaderBytes));
    this.link.close();
    this.#end(ownReason);
  }

  /** A frame that the peer may not send. The link ends; the peer is told why. */
  fail(message: string): void {
    this.close(new IpcError("INTERNAL", `protocol error: ${message}`));
  }

  /** Time has passed. */
  tick(nowMs: number): void {
    if (this.closedBy !== undefined) return;
    if (this.peer === undefined && nowMs >= this.#handshakeDeadlineMs) {
      const limit = this.config.limits.handshakeTimeoutMs;
      this.close(
        new IpcError(
          "DEADLINE_EXCEEDED",
          `the peer did not introduce itself within ${limit} ms (handshakeTimeoutMs)`,
        ),
      );
      return;
    }
    for (let stream = this.#deadlines.first; stream !== undefined; stream = this.#deadlines.first) {
      if (stream.deadlineMs > nowMs) break;
      this.expire(stream);
    }
    const next = this.peer === undefined ? this.#handshakeDeadlineMs : this.#deadlines.first?.deadlineMs;
    if (next !== undefined) this.handler.onWakeAt(next);
  }

  /** When the next deadline passes; `Infinity` where there is none. */
  get nextDeadlineMs(): number {
    return this.#deadlines.first?.deadlineMs ?? Number.POSITIVE_INFINITY;
  }

  /** The turn is over: delivers what was held while the thread was blocked, and sends what waits. */
  flush(): void {
    if (this.held !== undefined) this.#deliverHeld(this.held);
    this.send();
  }

  /** Sends what waits, as far as there is room. */
  send(): void {
    // Whoever was refused hears of it from `onWritable`; asking again at the end of every turn would never let go.
    if (!this.output.isFull) this.#pump();
    this.output.staged?.settle();
    this.link.flush();
  }

  onRecord(bytes: Uint8Array, start: number, end: number, block?: ReceivedBlock): void {
    if (this.closedBy !== undefined) return;
    if (this.held === undefined) this.deliver(bytes, start, end, block);
    else this.held.take(bytes, start, end, block);
  }

  /** Takes a record now. */
  deliver(bytes: Uint8Array, start: number, end: number, block: ReceivedBlock | undefined): void {
    this.isDelivering = true;
    try {
      receiveRecord(this, bytes, start, end, block);
    } finally {
      this.isDelivering = false;
    }
  }

  onWritable(): void {
    this.output.isFull = false;
    this.#pump();
  }

  onClose(end: LinkEnd): void {
    if (this.closedBy !== undefined) return;
    if (this.held === undefined) this.#end(linkLost(end, this.peer === undefined));
    else this.held.takeEnd(end);
  }

  /** The peer's Hello came. */
  accept(hello: WireHello): void {
    if (hello.minVersion > PROTOCOL_VERSION || hello.maxVersion < PROTOCOL_VERSION) {
      const ours = `${PROTOCOL_VERSION} to ${PROTOCOL_VERSION}`;
      const theirs = `${hello.minVersion} to ${hello.maxVersion}`;
      const text = `no common protocol version: this side speaks ${ours}, the peer ${theirs}`;
      this.close(new IpcError("FAILED_PRECONDITION", text));
      return;
    }
    this.peer = hello;
    this.opener.start(hello);
    if ((hello.features & Feature.FRAGMENTS) !== 0) this.maxInlineBytes = this.link.info.fragmentBytes;
    const minBlockBytes = this.link.blocks?.minBytes ?? Number.POSITIVE_INFINITY;
    this.maxDirectBytes = Math.min(this.maxInlineBytes, hello.limits.maxMessageBytes, minBlockBytes - 1);
    const { bootId, timeNamespace, offsetMs } = this.config.clock;
    if (bootId !== "" && hello.clock.bootId === bootId && hello.clock.timeNamespace === timeNamespace) {
      this.sharedClockOffsetMs = offsetMs;
    }
    if (this.isDraining) {
      // It was not told: nothing could be sent before its limits were known.
      this.#drainSent = false;
      this.handler.onDirty();
    }
    this.handler.onReady(hello);
  }

  /** Puts the stream into the list of those that wait for the link. */
  wait(stream: Stream): void {
    if (stream.isWaiting || this.closedBy !== undefined) return;
    stream.isWaiting = true;
    this.#waiting.push(stream);
    this.handler.onDirty();
  }

  /** Counts responses that wait for the peer. */
  addPendingResponse(bytes: number): void {
    const wasCongested = this.isCongested;
    this.#pendingResponseBytes += bytes;
    if (wasCongested && !this.isCongested && this.closedBy === undefined) this.handler.onUncongested();
  }

  /** Watches the stream's deadline. */
  addDeadline(stream: Stream): void {
    if (stream.deadlineMs === Number.POSITIVE_INFINITY) return;
    this.#deadlines.add(stream);
    if (this.#deadlines.first === stream) this.handler.onWakeAt(stream.deadlineMs);
  }

  /** The stream is over for both sides. */
  forget(stream: Stream): void {
    this.#deadlines.remove(stream);
    if (!this.streams.delete(stream)) return;
    stream.clear();
    if (stream.isCaller) {
      if (!stream.isOneWay) this.opener.callEnded(stream);
    } else if (stream.isOneWay) {
      this.#grantOneWay(stream.openBytes);
    } else {
      this.peerCallsInFlight--;
      this.peerCallBytes += stream.openBytes;
    }
    if (this.isDraining) this.#checkDrained();
  }

  /** Caller: ends the call for the user now, and for the peer soon. */
  cancelStream(stream: Stream, reason: IpcError): void {
    this.#deadlines.remove(stream);
    if (stream.opened) {
      // A one-way call that has begun is sent whole: so the peer gives back the credit that it took.
      if (!stream.isOneWay) {
        stream.cancelled = reason;
        stream.assembly = undefined;
        stream.sendCancel(reason);
      }
    } else {
      this.opener.unqueue(stream);
    }
    settle(stream, withMaybeExecuted(reason, stream.opened), NO_METADATA);
  }

  /** Caller: the call is over, by the peer's word or because it cannot go on. */
  endStream(stream: Stream, error: IpcError | undefined, trailer: readonly WireMetadata[]): void {
    this.forget(stream);
    settle(stream, error, trailer);
  }

  /** The peer drains: what it will not accept is settled. */
  peerDrains(lastStreamId: number): void {
    this.isPeerDraining = true;
    const reason = new IpcError("UNAVAILABLE", "the peer is closing and did not start the call");
    // First, so that no slot that becomes free opens one of them.
    this.#failQueued(reason);
    for (const stream of this.streams.all()) {
      if (stream.isCaller && stream.id > lastStreamId) this.endStream(stream, reason, NO_METADATA);
    }
    this.handler.onPeerDraining();
  }

  /** Whether the peer opened this stream before it knew that we drain. */
  isBeyondDrain(streamId: number): boolean {
    return this.isDraining && streamId > this.#drainLast;
  }

  /** Whether an id is one that the peer opens. */
  isPeerId(streamId: number): boolean {
    return streamId % 2 === (this.config.side === "dialler" ? 0 : 1);
  }

  #hello(): BytesPayload {
    const { limits, name, implementation, incarnation, clock, pid } = this.config;
    const hello = {
      minVersion: PROTOCOL_VERSION,
      maxVersion: PROTOCOL_VERSION,
      features: Feature.FRAGMENTS | Feature.METHOD_IDS,
      limits,
      name,
      implementation,
      incarnation,
      clock,
      pid,
    };
    return new BytesPayload(encodeHello(hello));
  }

  /** Sends what waits: first the link's own, then queued calls, then each stream in turn. */
  #pump(): void {
    if (this.closedBy !== undefined) return;
    if (!this.#helloSent) {
      this.#helloSent = this.output.hello(this.#hello());
      if (!this.#helloSent) return;
    }
    if (this.peer === undefined) return;
    if (this.isDraining && !this.#drainSent) {
      this.#drainSent = this.output.drain(this.#drainLast);
      if (!this.#drainSent) return;
      this.#checkDrained();
    }
    if (this.#oneWayGrantDue && !this.#sendOneWayGrant()) return;
    if (!this.opener.openQueued()) return;
    this.#pumpStreams();
  }

  #pumpStreams(): void {
    while (this.#waiting.length > 0) {
      const round = this.#waiting;
      this.#waiting = [];
      for (let i = 0; i < round.length; i++) {
        const stream = round[i]!;
        stream.isWaiting = false;
        if (this.closedBy !== undefined) return;
        if (!stream.resume()) {
          this.#keepWaiting(round, i);
          return;
        }
        if (stream.isRefused) {
          stream.isRefused = false;
          stream.receiver?.onSendable();
          if (this.output.isFull) {
            this.#keepWaiting(round, i + 1);
            return;
          }
        }
      }
    }
  }

  /** The link is full: the streams of the round from `from` on keep their places, before those that were added. */
  #keepWaiting(round: readonly Stream[], from: number): void {
    const kept = round.slice(from);
    for (const stream of kept) stream.isWaiting = true;
    this.#waiting = [...kept, ...this.#waiting];
  }

  #deliverHeld(held: HeldRecords): void {
    held.deliver();
    this.held = undefined;
    if (held.linkEnd !== undefined) this.onClose(held.linkEnd);
  }

  #sendOneWayGrant(): boolean {
    if (!this.output.credit(0, Flag.ONE_WAY, this.#oneWayGrantMessages, this.#oneWayGrantBytes)) return false;
    this.peerOneWayMessages += this.#oneWayGrantMessages;
    this.peerOneWayBytes += this.#oneWayGrantBytes;
    this.#oneWayGrantMessages = 0;
    this.#oneWayGrantBytes = 0;
    this.#oneWayGrantDue = false;
    return true;
  }

  /** The stream's deadline has passed. */
  expire(stream: Stream): void {
    this.#deadlines.remove(stream);
    const isQueued = stream.isCaller && !stream.opened;
    const text = isQueued
      ? `the deadline passed while the call waited: ${this.opener.describeWait(stream)}`
      : PASSED;
    const reason = new IpcError("DEADLINE_EXCEEDED", text);
    if (stream.isCaller) this.cancelStream(stream, reason);
    else stream.cancelCallee(reason);
  }

  #failQueued(reason: IpcError): void {
    for (const stream of this.opener.takeQueued()) {
      this.#deadlines.remove(stream);
      settle(stream, reason, NO_METADATA);
    }
  }

  #checkDrained(): void {
    if (this.streams.size > 0 || !this.#drainSent || this.#drainedTold) return;
    this.#drainedTold = true;
    this.handler.onDrained();
  }

  #end(reason: IpcError): void {
    this.closedBy = reason;
    const streams = this.streams.all();
    const queued = this.opener.takeQueued();
    this.streams.clear();
    this.#waiting = [];
    for (const stream of streams) {
      this.#deadlines.remove(stream);
      stream.clear();
      if (stream.isCaller) settle(stream, withMaybeExecuted(reason, true), NO_METADATA);
      else stream.cancelCallee(reason);
    }
    for (const stream of queued) {
      this.#deadlines.remove(stream);
      settle(stream, withMaybeExecuted(reason, false), NO_METADATA);
    }
    this.handler.onClosed(reason);
  }
}

/** Caller: tells the user once that the call is over. */
function settle(stream: Stream, error: IpcError | undefined, trailer: readonly WireMetadata[]): void {
  const receiver: StreamReceiver | undefined = stream.receiver;
  const { onOneWay } = stream;
  stream.receiver = undefined;
  stream.onOneWay = undefined;
  receiver?.onEnd(error, trailer);
  onOneWay?.(error);
}
