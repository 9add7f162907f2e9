import { IpcError, isIpcError } from "../error.js";
import type { TopicRules } from "../definition.js";
import type { BlockStore } from "../../transports/transport.js";
import type { Payload } from "../session/payload.js";
import type { Session } from "../session/session.js";
import { NO_METADATA, type Stream } from "../session/stream.js";
import type { StreamReceiver } from "../session/stream-receiver.js";
import { Fifo } from "../fifo.js";
import type { KeyState, PendingPublication } from "./publication.js";

/** What a subscriber's publisher is told. */
export interface SubscriberOwner {
  readonly rules: TopicRules;
  /** A publisher that can wait does so while as many bytes as this are queued. */
  readonly maxReadyBytes: number;
  /** The filter is read: the subscriber's history, and whether it may be counted. */
  onFilter(subscriber: Subscriber, bytes: Uint8Array, start: number, end: number): void;
  /** There is room again. */
  onRoom(subscriber: Subscriber): void;
  onGone(subscriber: Subscriber): void;
}

/** What a subscriber was told of one key: every publication is sent or lost, so that numbers say what was lost. */
interface KeyProgress {
  isAnnounced: boolean;
  /** The number up to which all is sent, or told to be lost. */
  toldUpTo: number;
  /** The newest that was lost. */
  lostUpTo: number;
}

/**
 * One subscription, as its publisher sees it: what waits for the subscriber, what it lost, and the stream that leads to
 * it. What is in history when it joins comes first and does not count towards `depth`.
 */
export class Subscriber implements StreamReceiver {
  readonly #stream: Stream;
  readonly #owner: SubscriberOwner;
  readonly #snapshot = new Fifo<PendingPublication>();
  readonly #queue = new Fifo<PendingPublication>();
  #queuedBytes = 0;
  readonly #keys = new Map<KeyState, KeyProgress>();
  /** The key that was asked for last, which is mostly asked for next. */
  #lastKey: KeyState | undefined;
  #lastProgress: KeyProgress | undefined;
  /** The keys of which the newest losses are not told. */
  readonly #losing = new Set<KeyState>();
  #isEnding: IpcError | "well" | undefined;
  #isGone = false;
  /** "block": it kept a publisher waiting for too long, and is waited for again when it has room. */
  isLagging = false;
  /** Whether a key matches its filter, by the key's id. */
  readonly matches: Map<KeyState, boolean> = new Map();
  filter: unknown;
  /** Whether another subscription to the topic came over the same link. */
  sharesLink = false;

  constructor(stream: Stream, owner: SubscriberOwner) {
    this.#stream = stream;
    this.#owner = owner;
  }

  /** Whether a publication would find a place in the queue. */
  get hasRoom(): boolean {
    return this.#queue.length < this.#owner.rules.depth;
  }

  /** Whether a publisher that can wait need not: there is room, and what is queued is not much. */
  get isReady(): boolean {
    return this.hasRoom && this.#queuedBytes < this.#owner.maxReadyBytes;
  }

  /** Whether nothing that was published waits to be sent to it. */
  get isDrained(): boolean {
    return this.#queue.length === 0 && this.#snapshot.length === 0;
  }

  /** The blocks that its link sends without copying. */
  get blocks(): BlockStore | undefined {
    return this.session.link.blocks;
  }

  get session(): Session {
    return this.#stream.session;
  }

  /** Confirms the subscription, and sends what the history holds for it. */
  begin(history: readonly PendingPublication[]): void {
    this.#stream.sendHeaders(NO_METADATA);
    for (const publication of history) {
      if (this.#isTooLarge(publication)) this.#countLost(publication.key, publication.seq);
      else {
        publication.payload.hold();
        this.#snapshot.push(publication);
      }
      this.#progress(publication.key, publication.seq);
    }
    this.onSendable();
  }

  /** Its stream, where a publication could go out over it now and nothing waits. */
  get idleStream(): Stream | undefined {
    return this.isDrained && this.#isEnding === undefined && this.#stream.canSend ? this.#stream : undefined;
  }

  /** Whether it knows the key, and was sent or told of all up to its newest publication. */
  isUpTo(key: KeyState): boolean {
    const { toldUpTo, isAnnounced } = this.#progress(key, key.seq + 1);
    return toldUpTo === key.seq && (isAnnounced || key.id === 0);
  }

  /** All publications of a key were sent. */
  wasSent(key: KeyState): void {
    this.#progress(key, key.seq).toldUpTo = key.seq;
  }

  /** Whether the payload could be handed over at once, without being kept. */
  sendNow(key: KeyState, seq: number, timeUs: number, payload: Payload): boolean {
    if (!this.isDrained) return false;
    try {
      return this.#send(key, seq, timeUs, payload);
    } catch (error) {
      // Above what this subscriber takes: `enqueue` counts it as lost, and others still get it.
      if (isIpcError(error) && error.code === "RESOURCE_EXHAUSTED") return false;
      throw error;
    }
  }

  /** Queues what could not be sent, by the topic's overflow rule. */
  enqueue(publication: PendingPublication): "queued" | "queuedDroppingOldest" | "dropped" {
    if (this.#isTooLarge(publication)) {
      this.#countLost(publication.key, publication.seq);
      if (this.isDrained) this.onSendable();
      return "dropped";
    }
    this.#progress(publication.key, publication.seq);
    if (this.hasRoom) {
      this.#enqueue(publication);
      return "queued";
    }
    switch (this.#owner.rules.overflow) {
      case "dropOldest": {
        const oldest = this.#queue.peek()!;
        this.#countLost(oldest.key, oldest.seq);
        this.#shift(this.#queue);
        this.#enqueue(publication);
        return "queuedDroppingOldest";
      }
      case "disconnect": {
        this.#countLost(publication.key, publication.seq);
        const depth = this.#owner.rules.depth;
        this.end(
          new IpcError(
            "RESOURCE_EXHAUSTED",
            `the subscriber is too slow: ${depth} publications wait (depth)`,
          ),
        );
        return "dropped";
      }
      case "dropNewest":
      case "block":
        this.#countLost(publication.key, publication.seq);
        return "dropped";
    }
  }

  /** Ends the subscription: well, after all that waits is sent; or with an error, and what waits is counted as lost. */
  end(how: IpcError | "well"): void {
    if (this.#isGone) return;
    this.#isEnding = how;
    if (how !== "well") {
      for (const queue of [this.#snapshot, this.#queue]) {
        for (let next = queue.peek(); next !== undefined; next = queue.peek()) {
          this.#countLost(next.key, next.seq);
          this.#shift(queue);
        }
      }
      // It receives nothing from now on, though its losses and its end may still wait for the link.
      this.#leave();
    }
    this.onSendable();
  }

  onSendable(): void {
    if (!this.#sendQueue(this.#snapshot) || !this.#sendQueue(this.#queue)) {
      if (!this.#isGone && this.hasRoom) this.#owner.onRoom(this);
      return;
    }
    for (const key of this.#losing) {
      if (!this.#tellLost(key)) return;
      this.#losing.delete(key);
    }
    if (this.#isEnding === undefined) {
      this.isLagging = false;
      this.#owner.onRoom(this);
      return;
    }
    const error = this.#isEnding === "well" ? undefined : this.#isEnding;
    this.#stream.finish(error, undefined, NO_METADATA, true);
    this.#leave();
  }

  onMessage(bytes: Uint8Array, start: number, end: number): void {
    if (this.filter === undefined && !this.#isGone) this.#owner.onFilter(this, bytes, start, end);
  }

  /** The filter cannot be used. */
  refuse(error: IpcError): void {
    this.#isGone = true;
    this.#stream.finish(error, undefined, NO_METADATA, false);
  }

  onCancel(reason: IpcError): void {
    this.#leave();
    this.#stream.finish(reason, undefined, NO_METADATA, true);
  }

  onLast(): void {
    if (this.filter !== undefined || this.#isGone) return;
    this.refuse(new IpcError("INVALID_ARGUMENT", "a subscription needs a filter, and none came"));
  }

  onHeaders(): void {}
  onKey(): void {}
  onLost(): void {}
  onEnd(): void {}

  #leave(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    for (const queue of [this.#snapshot, this.#queue]) while (queue.length > 0) this.#shift(queue);
    this.#owner.onGone(this);
  }

  #sendQueue(queue: Fifo<PendingPublication>): boolean {
    for (let next = queue.peek(); next !== undefined; next = queue.peek()) {
      if (!this.#send(next.key, next.seq, next.timeUs, next.payload)) return false;
      this.#shift(queue);
    }
    return true;
  }

  /** Throws `IpcError` RESOURCE_EXHAUSTED for a payload above the subscriber's limit. */
  #send(key: KeyState, seq: number, timeUs: number, payload: Payload): boolean {
    const progress = this.#progress(key, seq);
    if (!this.#announce(key, progress)) return false;
    const lost = seq - progress.toldUpTo - 1;
    // The clock is ours: a peer that has another one can do nothing with it.
    const sharedUs = this.#stream.session.sharedClockOffsetMs === undefined ? 0 : timeUs;
    if (!this.#stream.trySend(payload, 0, key.id, seq, lost, sharedUs)) return false;
    progress.toldUpTo = seq;
    return true;
  }

  #tellLost(key: KeyState): boolean {
    const progress = this.#keys.get(key)!;
    const { lostUpTo, toldUpTo } = progress;
    // A later publication that was sent has told of it.
    if (lostUpTo <= toldUpTo) return true;
    if (!this.#announce(key, progress)) return false;
    if (!this.#stream.trySendLost(key.id, lostUpTo, lostUpTo - toldUpTo)) return false;
    progress.toldUpTo = lostUpTo;
    return true;
  }

  #announce(key: KeyState, progress: KeyProgress): boolean {
    if (key.id === 0 || progress.isAnnounced) return true;
    if (!this.#stream.tryAnnounceKey(key.id, key.encoded)) return false;
    progress.isAnnounced = true;
    return true;
  }

  /** What was told of the key; `seq` is the first publication of it for this subscriber, if there was none before. */
  #progress(key: KeyState, seq: number): KeyProgress {
    if (key === this.#lastKey) return this.#lastProgress!;
    let progress = this.#keys.get(key);
    if (progress === undefined) {
      progress = { isAnnounced: false, toldUpTo: seq - 1, lostUpTo: 0 };
      this.#keys.set(key, progress);
    }
    this.#lastKey = key;
    this.#lastProgress = progress;
    return progress;
  }

  #countLost(key: KeyState, seq: number): void {
    const progress = this.#progress(key, seq);
    progress.lostUpTo = Math.max(progress.lostUpTo, seq);
    this.#losing.add(key);
  }

  #enqueue(publication: PendingPublication): void {
    publication.payload.hold();
    this.#queuedBytes += publication.payload.maxBytes;
    this.#queue.push(publication);
  }

  /** Takes the oldest out of a queue, for good. */
  #shift(queue: Fifo<PendingPublication>): void {
    const { payload } = queue.shift()!;
    if (queue === this.#queue) this.#queuedBytes -= payload.maxBytes;
    payload.drop();
  }

  #isTooLarge(publication: PendingPublication): boolean {
    return publication.payload.maxBytes > this.#stream.session.peer!.limits.maxMessageBytes;
  }
}
