import type { BatchLayout } from "../../transports/transport.js";
import {
  type FrameBatch,
  MAX_BATCH_STREAM_ID,
  releaseFrameBatch,
  takeFrameBatch,
} from "../session/frame-batch.js";
import type { Staged } from "../session/frame-output.js";
import type { Payload } from "../session/payload.js";
import type { Session } from "../session/session.js";
import type { Stream } from "../session/stream.js";
import type { KeyState } from "./publication.js";
import type { Subscriber } from "./subscriber.js";

/** Below that a batch saves nothing. */
const FEWEST_MEMBERS = 2;

interface Member {
  readonly subscriber: Subscriber;
  readonly stream: Stream;
}

/**
 * Publications to several subscribers: encoded and laid out once, then copied whole to each link, as many at a time as come
 * up in a turn. It takes no part where anything is to be said to a subscriber that others are not told.
 *
 * What is laid out goes to every link before any other frame does: whatever a session sends first settles its batch. So
 * nobody can tell a batch from publications that were sent one by one.
 */
export class FanOut implements Staged {
  readonly #subscribers: ReadonlySet<Subscriber>;
  readonly #isFor: (subscriber: Subscriber, key: KeyState) => boolean;
  readonly #members: Member[] = [];
  /** The keys of what is laid out. */
  readonly #keys: KeyState[] = [];
  #key: KeyState | undefined;
  /** There while it has members. */
  #batch: FrameBatch | undefined;
  #sharesClock = false;
  // What every member takes: a payload of so many bytes, so many messages, and more messages while it has bytes left.
  #maxPayloadBytes = 0;
  #messagesLeft = 0;
  #bytesLeft = 0;

  /** `isFor`: whether a subscriber is to have what is published of a key. */
  constructor(
    subscribers: ReadonlySet<Subscriber>,
    isFor: (subscriber: Subscriber, key: KeyState) => boolean,
  ) {
    this.#subscribers = subscribers;
    this.#isFor = isFor;
  }

  /** Whether what was published last went to the subscriber with others. */
  has(subscriber: Subscriber): boolean {
    return subscriber.fanOut === this;
  }

  /**
   * Sends the publication `key.seq + 1` to those whose link takes batches and who are up to date. Returns how many they are.
   * 0: to nobody, and nothing is laid out any more. Throws what encoding the payload throws; then it was not sent.
   */
  publish(key: KeyState, timeUs: number, payload: Payload): number {
    if (!this.#takes(payload) && !this.#begin(key, payload)) return 0;
    if (key !== this.#key && !this.#admit(key)) {
      this.settle();
      return 0;
    }
    const batch = this.#batch!;
    const before = batch.payloadBytes;
    batch.data(key.id, key.seq + 1, this.#sharesClock ? timeUs : 0, payload);
    // A getter of the message had something sent over one of the links.
    if (this.#batch !== batch) return 0;
    this.#bytesLeft -= batch.payloadBytes - before;
    this.#messagesLeft--;
    return this.#members.length;
  }

  settle(): void {
    const batch = this.#batch;
    if (batch === undefined) return;
    this.#batch = undefined;
    for (const { subscriber, stream } of this.#members) {
      subscriber.fanOut = undefined;
      stream.session.output.staged = undefined;
      if (batch.count === 0) continue;
      batch.addressTo(stream.id);
      stream.sendBatch(batch);
      for (const key of this.#keys) subscriber.wasSent(key, key.seq);
    }
    this.#members.length = 0;
    this.#keys.length = 0;
    this.#key = undefined;
    releaseFrameBatch(batch);
  }

  #takes(payload: Payload): boolean {
    return (
      this.#batch !== undefined &&
      this.#messagesLeft > 0 &&
      this.#bytesLeft > 0 &&
      payload.maxBytes <= this.#maxPayloadBytes &&
      this.#batch.takes(payload)
    );
  }

  /** Begins a batch with all who can be sent the next publication of the key. False where it would be no use. */
  #begin(key: KeyState, payload: Payload): boolean {
    this.settle();
    let layout: BatchLayout | undefined;
    let room = Number.POSITIVE_INFINITY;
    this.#maxPayloadBytes = this.#messagesLeft = this.#bytesLeft = Number.POSITIVE_INFINITY;
    for (const subscriber of this.#subscribers) {
      const stream = subscriber.idleStream;
      if (stream === undefined || subscriber.sharesLink || stream.id > MAX_BATCH_STREAM_ID) continue;
      const { session } = stream;
      const { batches } = session.link;
      const sharesClock = session.sharedClockOffsetMs !== undefined;
      if (batches === undefined || payload.maxBytes > session.maxDirectBytes) continue;
      if (layout === undefined) {
        layout = batches;
        this.#sharesClock = sharesClock;
      }
      if (batches !== layout || sharesClock !== this.#sharesClock || !subscriber.isUpTo(key)) continue;
      if (!this.#isFor(subscriber, key)) {
        // Others have other keys: publications go one by one.
        this.#members.length = 0;
        return false;
      }
      const roomHere = session.output.batchRoom(payload.maxBytes);
      if (roomHere === 0) continue;
      room = Math.min(room, roomHere);
      this.#maxPayloadBytes = Math.min(this.#maxPayloadBytes, session.maxDirectBytes);
      this.#messagesLeft = Math.min(this.#messagesLeft, stream.sendMessages);
      this.#bytesLeft = Math.min(this.#bytesLeft, stream.sendBytes);
      this.#members.push({ subscriber, stream });
    }
    if (this.#members.length < FEWEST_MEMBERS) {
      this.#members.length = 0;
      return false;
    }
    const batch = takeFrameBatch();
    batch.begin(layout!, room);
    if (!batch.takes(payload)) {
      releaseFrameBatch(batch);
      this.#members.length = 0;
      return false;
    }
    this.#batch = batch;
    this.#keys.push(key);
    this.#key = key;
    for (const { subscriber, stream } of this.#members) {
      subscriber.fanOut = this;
      stream.session.output.staged = this;
      // At the end of the turn it is sent.
      stream.session.handler.onDirty();
    }
    return true;
  }

  /** Whether another key's next publication can go to all members, and to nobody else. */
  #admit(key: KeyState): boolean {
    if (!this.#keys.includes(key)) {
      for (const { subscriber } of this.#members) {
        if (!subscriber.isUpTo(key) || !this.#isFor(subscriber, key)) return false;
      }
      this.#keys.push(key);
    }
    this.#key = key;
    return true;
  }
}

/** Tells each subscriber whether another one has the same link. A link takes one copy of a batch. */
export function markSharedLinks(subscribers: ReadonlySet<Subscriber>): void {
  const first = new Map<Session, Subscriber>();
  for (const subscriber of subscribers) {
    const other = first.get(subscriber.session);
    if (other === undefined) first.set(subscriber.session, subscriber);
    else other.sharesLink = true;
    subscriber.sharesLink = other !== undefined;
  }
}
