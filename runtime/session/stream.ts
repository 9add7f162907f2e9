import type { Codec } from "../codec/codec.js";
import type { IpcError } from "../error.js";
import { Flag } from "../wire/kinds.js";
import type { WireMetadata } from "../wire/metadata.js";
import type { Assembly } from "./assembly.js";
import type { FrameBatch } from "./frame-batch.js";
import type { OpenRequest } from "./opener.js";
import type { BytesPayload, Payload } from "./payload.js";
import { BLOCK_WINDOWS, ReceiveWindow } from "./receive-window.js";
import type { Session } from "./session.js";
import { statusOf } from "./status.js";
import type { StreamReceiver } from "./stream-receiver.js";

export const NO_METADATA: readonly WireMetadata[] = [];

/** An OPEN that waits. What depends on the time and the order of sending is worked out when it is sent. */
export interface QueuedOpen {
  readonly request: OpenRequest;
  /** Held. */
  readonly payload: BytesPayload | undefined;
  /** Credit for the responses, above the initial one. */
  readonly messages: number;
  readonly bytes: number;
}

/** A message too large for one frame, of which `payload[start, …)` is still to be sent. */
interface Fragmented {
  /** Whether what is left counts as a response that waits. */
  readonly isResponse: boolean;
  /** Held. */
  readonly payload: BytesPayload;
  start: number;
  readonly flags: number;
}

/** An END that waits for credit, for the link, or for the message before it. */
interface PendingEnd {
  readonly flags: number;
  readonly status: Uint8Array | undefined;
  readonly trailer: readonly WireMetadata[];
  /** Held. */
  readonly payload: BytesPayload | undefined;
}

/**
 * One call on one link, seen from one side. The caller's side opened it; the callee's side ends it. The session reads
 * and writes the fields; users call the methods.
 */
export class Stream {
  readonly session: Session;
  /** 0 while the OPEN is queued: ids ascend in the order of sending. */
  id: number;
  readonly isCaller: boolean;
  /** `undefined` once the user is told that the call is over, though the peer may not have ended it yet. */
  receiver: StreamReceiver | undefined;
  /** When the call expires, in the session's time; `Infinity`: never. */
  readonly deadlineMs: number;
  heapIndex = -1;

  /** What may still be sent. Bytes below 0: one message overdrew. */
  sendMessages: number;
  sendBytes: number;
  /** Made when it is first needed: most calls have one message each way, which the initial credit covers. */
  #window: ReceiveWindow | undefined;

  /** Caller: the OPEN that waits for a slot, credit or the link. */
  queuedOpen: QueuedOpen | undefined;
  /** Caller: the OPEN is with the link, so that the peer may execute the call. */
  opened = false;
  /** The bytes of the OPEN's message, which END gives back. */
  openBytes = 0;
  readonly isOneWay: boolean;
  /** Told when a one-way call is committed to the link, or cannot be. */
  onOneWay: ((error: IpcError | undefined) => void) | undefined;
  /** Caller: CANCEL is sent or due. Callee: CANCEL came, or the deadline passed. */
  cancelled: IpcError | undefined;
  /** Callee: `finish` was called. */
  finished = false;
  /** The caller said that it sends no more. */
  lastSeen = false;
  assembly: Assembly | undefined;
  announcedKeys = 0;

  /** Whether it stands in the session's list of those that wait for the link. */
  isWaiting = false;
  /** Whether the user was refused and is owed `onSendable`. */
  isRefused = false;
  #fragmented: Fragmented | undefined;
  #pendingHeaders: readonly WireMetadata[] | undefined;
  #pendingEnd: PendingEnd | undefined;
  #pendingCancel: Uint8Array | undefined;
  #grantMessages = 0;
  #grantBytes = 0;

  constructor(
    session: Session,
    id: number,
    isCaller: boolean,
    isOneWay: boolean,
    deadlineMs: number,
    sendMessages: number,
    sendBytes: number,
  ) {
    this.session = session;
    this.id = id;
    this.isCaller = isCaller;
    this.isOneWay = isOneWay;
    this.deadlineMs = deadlineMs;
    this.sendMessages = sendMessages;
    this.sendBytes = sendBytes;
  }

  /** Whether a message could go out now. */
  get canSend(): boolean {
    return (
      this.session.isOpen &&
      (this.opened || !this.isCaller) &&
      !this.finished &&
      this.cancelled === undefined &&
      this.#fragmented === undefined &&
      this.#pendingHeaders === undefined &&
      this.#pendingEnd === undefined &&
      this.sendMessages > 0 &&
      this.sendBytes > 0
    );
  }

  /** As `trySend`, for a message that the codec encodes in place. */
  trySendMessage(codec: Codec<unknown, unknown>, message: unknown, isLast: boolean): boolean {
    if (!this.canSend) return this.#refuse(true);
    return this.trySend(this.session.message.set(codec, message), isLast ? Flag.LAST : 0, 0, 0, 0, 0);
  }

  /**
   * Sends one message. False, having done nothing, while credit or room is missing: `onSendable` follows. Throws
   * `IpcError` RESOURCE_EXHAUSTED for a message above the peer's limit.
   */
  trySend(
    payload: Payload,
    flags: number,
    keyId: number,
    seq: number,
    lost: number,
    timeUs: number,
  ): boolean {
    if (!this.canSend) return this.#refuse(true);
    const { session } = this;
    if (payload.maxBytes > session.maxDirectBytes)
      return this.#sendLarge(payload, flags, keyId, seq, lost, timeUs);
    if (!session.output.data(this.id, flags, keyId, seq, lost, timeUs, payload)) return this.#refuse(true);
    this.sendMessages--;
    this.sendBytes -= session.output.payloadBytes;
    return true;
  }

  /** Sends messages that are laid out already, for which there are credit and room. */
  sendBatch(batch: FrameBatch): void {
    this.session.output.commitBatch(batch);
    this.sendMessages -= batch.count;
    this.sendBytes -= batch.payloadBytes;
  }

  #sendLarge(
    payload: Payload,
    flags: number,
    keyId: number,
    seq: number,
    lost: number,
    timeUs: number,
  ): boolean {
    const { session } = this;
    // Asked first: a message that is encoded and then refused is encoded once more.
    if (!session.output.hasRoom()) return this.#refuse(true);
    const whole = session.keep(payload);
    const isSent = this.#sendKept(whole, flags, keyId, seq, lost, timeUs);
    whole.drop();
    if (!isSent) return this.#refuse(true);
    this.sendMessages--;
    this.sendBytes -= whole.maxBytes;
    return true;
  }

  /** Sends a message in a block, in one frame or, for now, its first part. */
  #sendKept(
    whole: BytesPayload,
    flags: number,
    keyId: number,
    seq: number,
    lost: number,
    timeUs: number,
  ): boolean {
    const { session } = this;
    const { output, maxInlineBytes } = session;
    if (session.isInBlock(whole)) {
      if (output.dataInBlock(this.id, flags, keyId, seq, lost, timeUs, whole)) return true;
      if (output.isFull) return false;
    }
    if (whole.maxBytes <= maxInlineBytes) return output.data(this.id, flags, keyId, seq, lost, timeUs, whole);
    const first = whole.part(whole.start, whole.start + maxInlineBytes);
    if (!output.data(this.id, Flag.MORE, keyId, seq, lost, timeUs, first)) return false;
    this.sendRest(whole, first.end, flags);
    return true;
  }

  /** Continues with the rest of a message whose first part has been committed. */
  sendRest(payload: BytesPayload, start: number, flags: number, isResponse = false): void {
    this.#fragmented = { payload: payload.hold(), start, flags, isResponse };
    this.session.wait(this);
  }

  /** Caller: says that no message follows. Needs no credit. */
  trySendLast(): boolean {
    if (!this.session.isOpen || !this.opened || this.#fragmented !== undefined) return this.#refuse(false);
    return this.session.output.data(this.id, Flag.LAST, 0, 0, 0, 0, undefined) || this.#refuse(false);
  }

  /** Callee of a topic: says what a key id stands for. Needs no credit. */
  tryAnnounceKey(keyId: number, key: Payload): boolean {
    if (!this.session.isOpen || this.#pendingHeaders !== undefined || this.#fragmented !== undefined) {
      return this.#refuse(false);
    }
    return this.session.output.key(this.id, keyId, key) || this.#refuse(false);
  }

  /** Callee of a topic: says that publications were lost. Needs no credit. */
  trySendLost(keyId: number, seq: number, lost: number): boolean {
    if (!this.session.isOpen || this.#pendingHeaders !== undefined || this.#fragmented !== undefined) {
      return this.#refuse(false);
    }
    return this.session.output.lost(this.id, keyId, seq, lost) || this.#refuse(false);
  }

  /** Callee: sends response metadata, before any message. */
  sendHeaders(metadata: readonly WireMetadata[]): void {
    if (this.finished || !this.session.isOpen) return;
    if (this.isWaiting || !this.session.output.headers(this.id, metadata)) {
      this.#pendingHeaders = metadata;
      this.session.wait(this);
    }
  }

  /**
   * Callee: ends the call, with a last message if there is one. `wasStarted`: whether a handler ran. Throws for a
   * message that cannot be encoded or is above the peer's limit; then the call is not finished.
   */
  finish(
    error: IpcError | undefined,
    payload: Payload | undefined,
    trailer: readonly WireMetadata[],
    wasStarted: boolean,
  ): void {
    if (this.finished) return;
    if (this.isOneWay) {
      this.finished = true;
      // The rest of a message that is not wanted still comes; its credit is given back when it is whole.
      if (this.lastSeen) this.session.forget(this);
      return;
    }
    const flags = wasStarted ? 0 : Flag.NOT_STARTED;
    const status = error === undefined ? undefined : statusOf(error, this.session.peerHeaderBytes);
    const session = this.session;
    if (!session.isOpen) {
      this.finished = true;
      return;
    }
    const isDirect = payload === undefined || payload.maxBytes <= session.maxDirectBytes;
    const hasCredit = payload === undefined || (this.sendMessages > 0 && this.sendBytes > 0);
    const isNext = hasCredit && this.#pendingHeaders === undefined && this.#fragmented === undefined;
    if (isDirect && isNext && session.output.end(this.id, flags, status, trailer, payload)) {
      this.finished = true;
      session.forget(this);
      return;
    }
    const kept = payload === undefined ? undefined : session.keep(payload);
    this.finished = true;
    const pending = { flags, status, trailer, payload: kept };
    if (!isDirect && isNext && this.#sendEnd(pending)) {
      kept?.drop();
      session.forget(this);
      return;
    }
    this.#pendingEnd = pending;
    if (kept !== undefined) session.addPendingResponse(kept.maxBytes);
    session.wait(this);
  }

  /** Caller: the call is no longer wanted. `onEnd` is called before this returns. */
  cancel(reason: IpcError): void {
    if (this.receiver === undefined && this.onOneWay === undefined) return;
    this.session.cancelStream(this, reason);
  }

  /** Caller: asks for more than the initial credit, as far as the budget allows. What was added goes into the OPEN. */
  widenWindow(): { messages: number; bytes: number } {
    return this.#ensureWindow().widen();
  }

  /** Counts a message that begins; false where the peer had no credit for it. */
  takeMessage(): boolean {
    return this.#ensureWindow().takeMessage();
  }

  /** As `takeMessage`, for the message of an END. The initial credit covers it where it is the only one. */
  takeLastMessage(): boolean {
    return this.#window === undefined || this.#window.takeMessage();
  }

  /** Counts the bytes of a message, or of a part of one. */
  takeBytes(count: number): void {
    this.#ensureWindow().takeBytes(count);
  }

  /** The user has taken a message of so many bytes, so that the peer may send again. */
  consumed(bytes: number): void {
    if (this.#window?.consume(bytes) !== true || !this.session.isOpen) return;
    if (!this.session.streams.has(this.id) || this.lastSeen || this.cancelled !== undefined) return;
    const grant = this.#window.grant();
    this.#grantMessages += grant.messages;
    this.#grantBytes += grant.bytes;
    if (!this.#sendGrant()) this.session.wait(this);
  }

  /** Callee: the call is no longer wanted, which its user is told once. */
  cancelCallee(reason: IpcError): void {
    if (this.cancelled !== undefined) return;
    this.cancelled = reason;
    this.assembly = undefined;
    // The caller ignores what still comes, so that the rest of a large message need not be sent.
    this.#dropFragmented();
    this.#dropPendingResponse(reason);
    this.receiver?.onCancel(reason);
  }

  /** Caller: puts CANCEL on its way and drops what was not sent. */
  sendCancel(reason: IpcError): void {
    this.#dropFragmented();
    const status = statusOf(reason, this.session.peerHeaderBytes);
    if (!this.session.output.cancel(this.id, status)) {
      this.#pendingCancel = status;
      this.session.wait(this);
    }
  }

  /** A response that waits is not wanted, and is not there: a good END would say that it is. */
  #dropPendingResponse(reason: IpcError): void {
    const pending = this.#pendingEnd;
    if (pending === undefined) return;
    const { flags, trailer, payload } = pending;
    const status = pending.status ?? statusOf(reason, this.session.peerHeaderBytes);
    this.#pendingEnd = { flags, status, trailer, payload: undefined };
    this.#dropResponse(payload);
    this.session.wait(this);
  }

  /** A response that waited does so no longer. */
  #dropResponse(payload: BytesPayload | undefined): void {
    if (payload === undefined) return;
    payload.drop();
    this.session.addPendingResponse(-payload.maxBytes);
  }

  /** Caller: the OPEN that waited has left. */
  wasOpened(): void {
    if (this.isRefused) this.session.wait(this);
  }

  /** Gives back what the stream held. */
  clear(): void {
    this.#window?.release();
    this.queuedOpen?.payload?.drop();
    this.queuedOpen = undefined;
    const pending = this.#pendingEnd;
    this.#pendingEnd = undefined;
    this.#dropResponse(pending?.payload);
    this.#dropFragmented();
    this.#pendingHeaders = undefined;
    this.#pendingCancel = undefined;
    this.#grantMessages = 0;
    this.#grantBytes = 0;
    this.isRefused = false;
  }

  /** Sends what waits, in its order. False where the link refused. */
  resume(): boolean {
    if (this.#pendingCancel !== undefined) {
      if (!this.session.output.cancel(this.id, this.#pendingCancel)) return false;
      this.#pendingCancel = undefined;
    }
    if (!this.#sendGrant()) return false;
    if (this.#pendingHeaders !== undefined) {
      if (!this.session.output.headers(this.id, this.#pendingHeaders)) return false;
      this.#pendingHeaders = undefined;
    }
    if (this.#fragmented !== undefined) return this.#resumeFragment(this.#fragmented);
    if (this.#pendingEnd !== undefined) return this.#resumeEnd(this.#pendingEnd);
    return true;
  }

  /** One part at a time, so that other streams have their turn in between. */
  #resumeFragment(fragmented: Fragmented): boolean {
    const { payload, start, flags } = fragmented;
    const end = Math.min(payload.end, start + this.session.maxInlineBytes);
    const partFlags = end < payload.end ? Flag.MORE : flags;
    if (!this.session.output.data(this.id, partFlags, 0, 0, 0, 0, payload.part(start, end))) return false;
    fragmented.start = end;
    if (end === payload.end) {
      this.#fragmented = undefined;
      payload.drop();
      if (this.isOneWay) this.session.opener.oneWaySent(this);
    }
    if (end < payload.end || this.#pendingEnd !== undefined) this.session.wait(this);
    if (fragmented.isResponse) this.session.addPendingResponse(start - end);
    return true;
  }

  #resumeEnd(pending: PendingEnd): boolean {
    const { payload } = pending;
    if (payload !== undefined && (this.sendMessages < 1 || this.sendBytes <= 0)) return true;
    const { session } = this;
    const { output, maxInlineBytes } = session;
    if (this.#sendEnd(pending)) {
      this.#pendingEnd = undefined;
      this.#dropResponse(payload);
      session.forget(this);
      return true;
    }
    if (payload === undefined || output.isFull || payload.maxBytes <= maxInlineBytes) return false;
    const first = payload.part(payload.start, payload.start + maxInlineBytes);
    if (!output.data(this.id, Flag.MORE, 0, 0, 0, 0, first)) return false;
    this.sendMessages--;
    this.sendBytes -= payload.maxBytes;
    this.#pendingEnd = { ...pending, payload: undefined };
    this.sendRest(payload, first.end, 0, true);
    payload.drop();
    session.addPendingResponse(-first.maxBytes);
    return true;
  }

  /** Sends an END whole: with its message in a block, or in the frame where it fits one. */
  #sendEnd({ flags, status, trailer, payload }: PendingEnd): boolean {
    const { session } = this;
    const { output } = session;
    if (payload !== undefined && session.isInBlock(payload)) {
      if (output.endInBlock(this.id, flags, status, trailer, payload)) return true;
      if (output.isFull) return false;
    }
    const isInline = payload === undefined || payload.maxBytes <= session.maxInlineBytes;
    return isInline && output.end(this.id, flags, status, trailer, payload);
  }

  #dropFragmented(): void {
    const rest = this.#fragmented;
    if (rest === undefined) return;
    this.#fragmented = undefined;
    rest.payload.drop();
    if (rest.isResponse) this.session.addPendingResponse(rest.start - rest.payload.end);
  }

  #ensureWindow(): ReceiveWindow {
    if (this.#window === undefined) {
      const { config, grantBudget, link } = this.session;
      const { limits } = config;
      const mostBytes = limits.windowBytes * (link.blocks === undefined ? 1 : BLOCK_WINDOWS);
      this.#window = new ReceiveWindow(limits, grantBudget, mostBytes);
    }
    return this.#window;
  }

  #sendGrant(): boolean {
    if (this.#grantMessages === 0 && this.#grantBytes === 0) return true;
    if (!this.session.output.credit(this.id, 0, this.#grantMessages, this.#grantBytes)) return false;
    this.#grantMessages = 0;
    this.#grantBytes = 0;
    return true;
  }

  /** The user hears when it is worth trying again: after credit, or when the link has room. */
  #refuse(needsCredit: boolean): false {
    // After its end nothing becomes sendable: asking again and again would never stop.
    if (this.finished) return false;
    this.isRefused = true;
    const isOpened = this.opened || !this.isCaller;
    if (isOpened && (!needsCredit || (this.sendMessages > 0 && this.sendBytes > 0))) this.session.wait(this);
    return false;
  }
}
