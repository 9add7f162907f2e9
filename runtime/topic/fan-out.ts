import type { BatchLayout } from "../../transports/transport.js";
import {
  type FrameBatch,
  MAX_BATCH_PAYLOAD_BYTES,
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
const NOBODY: readonly Subscriber[] = [];

interface Member {
  readonly subscriber: Subscriber;
  readonly stream: Stream;
}

/** Publications that are laid out, and what every one of those that they are for takes. */
interface Batch {
  readonly frames: FrameBatch;
  readonly members: readonly Member[];
  /** All other subscribers. */
  readonly others: readonly Subscriber[];
  /** The keys of what is laid out. */
  readonly keys: KeyState[];
  readonly sharesClock: boolean;
  readonly maxPayloadBytes: number;
  messagesLeft: number;
  /** Above 0: one more message, however long. */
  bytesLeft: number;
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
  #batch: Batch | undefined;
  /** The key of the newest publication of the batch. */
  #key: KeyState | undefined;

  /** `isFor`: whether a subscriber is to have what is published of a key. */
  constructor(
    subscribers: ReadonlySet<Subscriber>,
    isFor: (subscriber: Subscriber, key: KeyState) => boolean,
  ) {
    this.#subscribers = subscribers;
    this.#isFor = isFor;
  }

  /** The subscribers to whom the newest publication did not go with others. The list stays as it is when one leaves. */
  get others(): readonly Subscriber[] {
    return this.#batch?.others ?? NOBODY;
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
    const { frames } = batch;
    const before = frames.payloadBytes;
    frames.data(key.id, key.seq + 1, batch.sharesClock ? timeUs : 0, payload);
    if (this.#batch !== batch) {
      // A getter of the message had something sent over one of the links, and perhaps published.
      this.settle();
      return 0;
    }
    batch.bytesLeft -= frames.payloadBytes - before;
    batch.messagesLeft--;
    return batch.members.length;
  }

  settle(): void {
    const batch = this.#batch;
    if (batch === undefined) return;
    this.#batch = undefined;
    this.#key = undefined;
    const { frames, members, keys } = batch;
    for (const { stream } of members) stream.session.output.staged = undefined;
    if (frames.count > 0) {
      for (const { subscriber, stream } of members) {
        frames.addressTo(stream.id);
        stream.sendBatch(frames);
        for (const key of keys) subscriber.wasSent(key);
      }
    }
    releaseFrameBatch(frames);
  }

  #takes(payload: Payload): boolean {
    const batch = this.#batch;
    return (
      batch !== undefined &&
      batch.messagesLeft > 0 &&
      batch.bytesLeft > 0 &&
      payload.maxBytes <= batch.maxPayloadBytes &&
      batch.frames.hasRoomFor(payload)
    );
  }

  /** Begins a batch with all who can be sent the next publication of the key. False where it would be no use. */
  #begin(key: KeyState, payload: Payload): boolean {
    this.settle();
    if (payload.maxBytes > MAX_BATCH_PAYLOAD_BYTES) return false;
    const candidates = this.#candidates(key, payload);
    if (candidates.length < FEWEST_MEMBERS) return false;
    let room = Number.POSITIVE_INFINITY;
    const members = candidates.filter(({ stream }) => {
      const roomHere = stream.session.output.batchRoom(payload.maxBytes);
      if (roomHere > 0) room = Math.min(room, roomHere);
      return roomHere > 0;
    });
    if (members.length < FEWEST_MEMBERS) return false;
    const { session } = members[0]!.stream;
    const frames = takeFrameBatch();
    frames.begin(session.link.batches!, room);
    if (!frames.hasRoomFor(payload)) {
      releaseFrameBatch(frames);
      return false;
    }
    let maxPayloadBytes = MAX_BATCH_PAYLOAD_BYTES;
    let messagesLeft = Number.POSITIVE_INFINITY;
    let bytesLeft = Number.POSITIVE_INFINITY;
    for (const { stream } of members) {
      maxPayloadBytes = Math.min(maxPayloadBytes, stream.session.maxDirectBytes);
      messagesLeft = Math.min(messagesLeft, stream.sendMessages);
      bytesLeft = Math.min(bytesLeft, stream.sendBytes);
      stream.session.output.staged = this;
      // At the end of the turn it is sent.
      stream.session.handler.onDirty();
    }
    this.#batch = {
      frames,
      members,
      others: this.#othersThan(members),
      keys: [key],
      sharesClock: session.sharedClockOffsetMs !== undefined,
      maxPayloadBytes,
      messagesLeft,
      bytesLeft,
    };
    this.#key = key;
    return true;
  }

  /** Those who may take part with each other; nobody where somebody who could is not to have the publication. */
  #candidates(key: KeyState, payload: Payload): Member[] {
    const candidates: Member[] = [];
    let layout: BatchLayout | undefined;
    let sharesClock = false;
    for (const subscriber of this.#subscribers) {
      const stream = subscriber.idleStream;
      if (stream === undefined || subscriber.sharesLink || stream.id > MAX_BATCH_STREAM_ID) continue;
      const { session } = stream;
      const { batches } = session.link;
      if (batches === undefined || payload.maxBytes > session.maxDirectBytes) continue;
      // Where keys go to different subscribers, publications go one by one.
      if (!this.#isFor(subscriber, key)) return [];
      if (!subscriber.isUpTo(key)) continue;
      const hasClock = session.sharedClockOffsetMs !== undefined;
      if (layout === undefined) {
        layout = batches;
        sharesClock = hasClock;
      }
      if (batches === layout && hasClock === sharesClock) candidates.push({ subscriber, stream });
    }
    return candidates;
  }

  #othersThan(members: readonly Member[]): readonly Subscriber[] {
    if (members.length === this.#subscribers.size) return NOBODY;
    const chosen = new Set(members.map(({ subscriber }) => subscriber));
    return [...this.#subscribers].filter((subscriber) => !chosen.has(subscriber));
  }

  /** Whether another key's next publication can go to all members, and to nobody else. */
  #admit(key: KeyState): boolean {
    const { keys, members } = this.#batch!;
    if (!keys.includes(key)) {
      for (const { subscriber } of members) {
        if (!this.#isFor(subscriber, key) || !subscriber.isUpTo(key)) return false;
      }
      keys.push(key);
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
