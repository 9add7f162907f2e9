import type { Codec } from "../codec/codec.js";
import type { IpcError } from "../error.js";
import { Flag } from "../wire/kinds.js";
import type { WireMetadata } from "../wire/metadata.js";
import type { Assembly } from "./assembly.js";
import type { OpenRequest } from "./opener.js";
import { BytesPayload, detach, type Payload } from "./payload.js";
import { ReceiveWindow } from "./receive-window.js";
import type { Session } from "./session.js";
import { statusOf } from "./status.js";
import type { StreamReceiver } from "./stream-receiver.js";

export const NO_METADATA: readonly WireMetadata[] = [];

/** An OPEN that waits. What depends on the time and the order of sending is worked out when it is sent. */
export interface QueuedOpen {
  readonly request: OpenRequest;
  readonly payload: BytesPayload | undefined;
  /** Credit for the responses, above the initial one. */
  readonly messages: number;
  readonly bytes: number;
}

/** A message too large for one frame, of which `payload[start, …)` is still to be sent. */
interface Fragmented {
  /** Whether what is left counts as a response that waits. */
  readonly isResponse: boolean;
  readonly payload: BytesPayload;
  start: number;
  readonly flags: number;
}

/** An END that waits for credit, for the link, or for the message before it. */
interface PendingEnd {
  readonly flags: number;
  readonly status: Uint8Array | undefined;
  readonly trailer: readonly WireMetadata[];
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
    return this.trySend(this.session.message.set(codec, message), isLast ? Flag.LAST : 0, 0, 0, 0);
  }

  /**
   * Sends one message. False, having done nothing, while credit or room is missing: `onSendable` follows. Throws
   * `IpcError` RESOURCE_EXHAUSTED for a message above the peer's limit.
   */
  trySend(payload: Payload, flags: number, keyId: number, seq: number, lost: number): boolean {
    if (!this.canSend) return this.#refuse(true);
    const session = this.session;
    const whole = session.fit(payload);
    let size: number;
    if (whole instanceof BytesPayload && whole.maxBytes > session.maxInlineBytes) {
      const first = new BytesPayload(whole.bytes, whole.start, whole.start + session.maxInlineBytes);
      if (!session.output.data(this.id, Flag.MORE, keyId, seq, lost, first)) return this.#refuse(true);
      this.sendRest(whole, first.end, flags);
      size = whole.maxBytes;
    } else {
      if (!session.output.data(this.id, flags, keyId, seq, lost, whole)) return this.#refuse(true);
      size = session.output.payloadBytes;
    }
    this.sendMessages--;
    this.sendBytes -= size;
    return true;
  }

  /** Continues with the rest of a message whose first part has been committed. */
  sendRest(payload: BytesPayload, start: number, flags: number, isResponse = false): void {
    this.#fragmented = { payload, start, flags, isResponse };
    this.session.wait(this);
  }

  /** Caller: says that no message follows. Needs no credit. */
  trySendLast(): boolean {
    if (!this.session.isOpen || !this.opened || this.#fragmented !== undefined) return this.#refuse(false);
    return this.session.output.data(this.id, Flag.LAST, 0, 0, 0, undefined) || this.#refuse(false);
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
    const fitting = payload === undefined ? undefined : session.fit(payload);
    const isInline = fitting === undefined || fitting.maxBytes <= session.maxInlineBytes;
    if (isInline && this.#pendingHeaders === undefined && this.#fragmented === undefined) {
      const hasCredit = fitting === undefined || (this.sendMessages > 0 && this.sendBytes > 0);
      if (hasCredit && session.output.end(this.id, flags, status, trailer, fitting)) {
        this.finished = true;
        session.forget(this);
        return;
      }
    }
    const kept = fitting === undefined ? undefined : detach(fitting);
    if (kept !== undefined) session.checkMessageBytes(kept.maxBytes);
    this.finished = true;
    this.#pendingEnd = { flags, status, trailer, payload: kept };
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
    this.#fragmented = undefined;
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
    if (payload !== undefined) this.session.addPendingResponse(-payload.maxBytes);
    this.session.wait(this);
  }

  /** Caller: the OPEN that waited has left. */
  wasOpened(): void {
    if (this.isRefused) this.session.wait(this);
  }

  /** Gives back what the stream held. */
  clear(): void {
    this.#window?.release();
    const payload = this.#pendingEnd?.payload;
    if (payload !== undefined) this.session.addPendingResponse(-payload.maxBytes);
    this.#pendingEnd = undefined;
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
    const part = new BytesPayload(payload.bytes, start, end);
    const partFlags = end < payload.end ? Flag.MORE : flags;
    if (!this.session.output.data(this.id, partFlags, 0, 0, 0, part)) return false;
    fragmented.start = end;
    if (end === payload.end) {
      this.#fragmented = undefined;
      if (this.isOneWay) this.session.opener.oneWaySent(this);
    }
    if (end < payload.end || this.#pendingEnd !== undefined) this.session.wait(this);
    if (fragmented.isResponse) this.session.addPendingResponse(start - end);
    return true;
  }

  #resumeEnd(pending: PendingEnd): boolean {
    const { payload } = pending;
    if (payload !== undefined && (this.sendMessages < 1 || this.sendBytes <= 0)) return true;
    const session = this.session;
    if (payload !== undefined && payload.maxBytes > session.maxInlineBytes) {
      const first = new BytesPayload(payload.bytes, payload.start, payload.start + session.maxInlineBytes);
      if (!session.output.data(this.id, Flag.MORE, 0, 0, 0, first)) return false;
      this.sendMessages--;
      this.sendBytes -= payload.maxBytes;
      this.#pendingEnd = { ...pending, payload: undefined };
      this.sendRest(payload, first.end, 0, true);
      session.addPendingResponse(-first.maxBytes);
      return true;
    }
    if (!session.output.end(this.id, pending.flags, pending.status, pending.trailer, payload)) return false;
    if (payload !== undefined) session.addPendingResponse(-payload.maxBytes);
    this.#pendingEnd = undefined;
    session.forget(this);
    return true;
  }

  #dropFragmented(): void {
    const rest = this.#fragmented;
    this.#fragmented = undefined;
    if (rest?.isResponse === true) this.session.addPendingResponse(rest.start - rest.payload.end);
  }

  #ensureWindow(): ReceiveWindow {
    this.#window ??= new ReceiveWindow(this.session.config.limits, this.session.grantBudget);
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
