import { IpcError } from "../error.js";
import type { TopicRules } from "../definition.js";
import type { Payload } from "../session/payload.js";
import { NO_METADATA, type Stream } from "../session/stream.js";
import type { StreamReceiver } from "../session/stream-receiver.js";
import { Fifo } from "./fifo.js";
import type { KeyState, PendingPublication } from "./publication.js";

/** What a subscriber's publisher is told. */
export interface SubscriberOwner {
  readonly rules: TopicRules;
  /** The filter is read: the subscriber's history, and whether it may be counted. */
  onFilter(subscriber: Subscriber, bytes: Uint8Array, start: number, end: number): void;
  /** There is room again. */
  onRoom(subscriber: Subscriber): void;
  onGone(subscriber: Subscriber): void;
}

interface Loss {
  count: number;
  seq: number;
}

/** A publication that waits, and how many of its key were lost between the one before and this one. */
interface Queued {
  readonly publication: PendingPublication;
  readonly lost: number;
}

/**
 * One subscription, as its publisher sees it: what waits for the subscriber, what it lost, and the stream that leads to
 * it. What is in history when it joins comes first and does not count towards `depth`.
 */
export class Subscriber implements StreamReceiver {
  readonly #stream: Stream;
  readonly #owner: SubscriberOwner;
  readonly #snapshot = new Fifo<Queued>();
  readonly #queue = new Fifo<Queued>();
  readonly #announced = new Set<number>();
  readonly #lost = new Map<KeyState, Loss>();
  #isEnding: IpcError | "well" | undefined;
  #isGone = false;
  /** "block": it kept a publisher waiting for too long, and is waited for again when it has room. */
  isLagging = false;
  /** Whether a key matches its filter, by the key's id. */
  readonly matches: Map<KeyState, boolean> = new Map();
  filter: unknown;

  constructor(stream: Stream, owner: SubscriberOwner) {
    this.#stream = stream;
    this.#owner = owner;
  }

  /** Whether a publication would find a place in the queue. */
  get hasRoom(): boolean {
    return this.#queue.length < this.#owner.rules.depth;
  }

  /** Confirms the subscription, and sends what the history holds for it. */
  begin(history: readonly PendingPublication[]): void {
    this.#stream.sendHeaders(NO_METADATA);
    for (const publication of history) this.#snapshot.push({ publication, lost: 0 });
    this.onSendable();
  }

  /** Whether the payload could be handed over at once, without being kept. */
  sendNow(key: KeyState, seq: number, payload: Payload): boolean {
    if (this.#queue.length > 0 || this.#snapshot.length > 0) return false;
    return this.#send(key, seq, payload, 0);
  }

  /** Queues what could not be sent, by the topic's overflow rule. */
  enqueue(publication: PendingPublication): "queued" | "queuedDroppingOldest" | "dropped" {
    const { overflow } = this.#owner.rules;
    if (this.hasRoom) {
      // Where the oldest are dropped, what was lost came before all that waits, and the next one sent tells of it. Else
      // it came after what waits, and before this one.
      this.#queue.push({
        publication,
        lost: overflow === "dropOldest" ? 0 : this.#takeLost(publication.key),
      });
      return "queued";
    }
    switch (overflow) {
      case "dropOldest": {
        const { publication: oldest } = this.#queue.shift()!;
        this.#countLost(oldest.key, oldest.seq, 1);
        this.#queue.push({ publication, lost: 0 });
        return "queuedDroppingOldest";
      }
      case "disconnect": {
        this.#countLost(publication.key, publication.seq, 1);
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
        this.#countLost(publication.key, publication.seq, 1);
        return "dropped";
    }
  }

  /** Ends the subscription: well, after all that waits is sent; or with an error, and what waits is counted as lost. */
  end(how: IpcError | "well"): void {
    if (this.#isGone) return;
    this.#isEnding = how;
    if (how !== "well") {
      for (const queue of [this.#snapshot, this.#queue]) {
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
          this.#countLost(next.publication.key, next.publication.seq, 1 + next.lost);
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
    for (const [key, { count, seq }] of this.#lost) {
      if (!this.#announce(key) || !this.#stream.trySendLost(key.id, seq, count)) return;
      this.#lost.delete(key);
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
    if (this.filter === undefined) this.#owner.onFilter(this, bytes, start, end);
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

  onLast(): void {}
  onHeaders(): void {}
  onKey(): void {}
  onLost(): void {}
  onEnd(): void {}

  #leave(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#owner.onGone(this);
  }

  #sendQueue(queue: Fifo<Queued>): boolean {
    for (let next = queue.peek(); next !== undefined; next = queue.peek()) {
      const { key, seq, payload } = next.publication;
      if (!this.#send(key, seq, payload, next.lost)) return false;
      queue.shift();
    }
    return true;
  }

  /** `lost`: what is known already to lie between the publication of the key before and this one. */
  #send(key: KeyState, seq: number, payload: Payload, lost: number): boolean {
    if (!this.#announce(key)) return false;
    const loss = this.#lost.size === 0 ? undefined : this.#lost.get(key);
    // What was lost after this publication is for a later one to tell.
    const earlier = loss !== undefined && loss.seq < seq ? loss.count : 0;
    if (!this.#stream.trySend(payload, 0, key.id, seq, lost + earlier)) return false;
    if (earlier > 0) this.#lost.delete(key);
    return true;
  }

  #announce(key: KeyState): boolean {
    if (key.id === 0 || this.#announced.has(key.id)) return true;
    if (!this.#stream.tryAnnounceKey(key.id, key.encoded)) return false;
    this.#announced.add(key.id);
    return true;
  }

  #takeLost(key: KeyState): number {
    const count = this.#lost.get(key)?.count ?? 0;
    if (count > 0) this.#lost.delete(key);
    return count;
  }

  #countLost(key: KeyState, seq: number, count: number): void {
    const loss = this.#lost.get(key);
    if (loss === undefined) {
      this.#lost.set(key, { count, seq });
    } else {
      loss.count += count;
      loss.seq = Math.max(loss.seq, seq);
    }
  }
}
