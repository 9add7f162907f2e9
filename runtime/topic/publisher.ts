import type { BlockStore } from "../../transports/transport.js";
import type { DrainedOptions, PublishOptions, PublishResult, ReadyOptions } from "../api.js";
import { abortError } from "../client-call.js";
import type { Connection } from "../connection.js";
import type { AnyTopic, TopicRules } from "../definition.js";
import type { TopicView } from "../endpoint-view.js";
import { IpcError, isIpcError } from "../error.js";
import type { Host } from "../host.js";
import type { Limits } from "../limits.js";
import type { Served } from "../services.js";
import { BytesPayload, keep, MessagePayload, type Payload } from "../session/payload.js";
import type { Stream } from "../session/stream.js";
import { undecodable } from "../undecodable.js";
import { MAX_KEY_BYTES } from "../wire/kinds.js";
import { FanOut, markSharedLinks } from "./fan-out.js";
import { makeLoan } from "./loan.js";
import type { AnyLoan, LoanOptions } from "./open-loan.js";
import type { KeyState, PendingPublication } from "./publication.js";
import { Subscriber, type SubscriberOwner } from "./subscriber.js";
import { type KeyIdentity, keyIdentity, matchesFilter } from "./topic-key.js";
import { Waiters } from "./waiters.js";

/** Where a publisher lives. */
export interface PublisherHome {
  readonly host: Host;
  readonly limits: Limits;
  readonly drainTimeoutMs: number;
  /** Where large publications are stored while nobody has subscribed. */
  readonly blocks?: BlockStore | undefined;
  /**
   * The last number of each key that was published on the topic before, by this run of the endpoint: numbers go on, so that
   * a subscriber that comes back knows what it missed. Brought up to date when the publisher closes.
   */
  readonly numbers: Map<KeyIdentity, number>;
  /** Nobody can subscribe to it any more. */
  onClosed(fullName: string): void;
}

/** A publication that waits for room. */
interface Intent {
  readonly key: unknown;
  readonly publish: () => PublishResult;
}

/** How many times `windowBytes` may be queued for a subscriber before a publisher that can wait does. */
const READY_WINDOWS = 4;
const NO_FIELDS: readonly string[] = [];

/** Publishes one topic to every subscriber of the endpoint: numbers, history, queues and losses. */
export class TopicPublisher implements Served, SubscriberOwner {
  readonly mayBeOneWay = false;
  readonly #topic: AnyTopic;
  readonly #home: PublisherHome;
  readonly #fields: readonly string[];
  readonly #keys = new Map<KeyIdentity, KeyState>();
  readonly #subscribers = new Set<Subscriber>();
  readonly #waitingForSubscribers: Waiters;
  readonly #waitingForRoom: Waiters;
  readonly #message = new MessagePayload();
  readonly #fanOut: FanOut;
  /** Neither published nor released. */
  readonly #loans = new Set<AnyLoan>();
  /** Where large publications are stored. */
  #store: BlockStore | undefined;
  #waitingPublications = 0;
  #lastPublication: Promise<unknown> | undefined;
  #closing: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(topic: AnyTopic, home: PublisherHome) {
    this.#topic = topic;
    this.#home = home;
    this.#store = home.blocks;
    this.#fields = topic.kind === "topic" ? topic.keyFields : NO_FIELDS;
    this.#fanOut = new FanOut(this.#subscribers, (subscriber, key) => this.#isFor(subscriber, key));
    this.#waitingForSubscribers = new Waiters(home.host);
    this.#waitingForRoom = new Waiters(home.host);
    if (topic.kind === "unkeyedTopic")
      this.#keys.set(0, newKey(0, undefined, new BytesPayload(new Uint8Array(0)), home.numbers.get(0)));
  }

  get maxReadyBytes(): number {
    return READY_WINDOWS * this.#home.limits.windowBytes;
  }

  get rules(): TopicRules {
    return this.#topic.rules;
  }

  /** What there is to see of it. */
  get view(): TopicView {
    let published = 0;
    for (const { seq } of this.#keys.values()) published += seq;
    return {
      topic: this.#topic,
      subscribers: this.#subscribers.size,
      published,
      keys: this.#topic.kind === "topic" ? this.#keys.size : 0,
    };
  }

  get subscribers(): number {
    return this.#subscribers.size;
  }

  async ready(options: ReadyOptions): Promise<void> {
    const given: unknown = options;
    if (typeof given !== "object" || given === null)
      throw new TypeError("ready takes { subscribers: number }");
    const { subscribers, signal, timeoutMs } = options;
    if (!Number.isInteger(subscribers) || subscribers < 0) {
      throw new TypeError(`subscribers is ${subscribers}; it must be a whole number from 0`);
    }
    const name = this.#topic.fullName;
    await this.#waitingForSubscribers.until(() => this.#subscribers.size >= subscribers, {
      signal,
      timeoutMs,
      timeoutText: () => `${name} has ${this.#subscribers.size} subscribers of ${subscribers}`,
    });
  }

  async drained(options: DrainedOptions = {}): Promise<void> {
    const given: unknown = options;
    if (typeof given !== "object" || given === null)
      throw new TypeError("drained takes { timeoutMs?: number, signal?: AbortSignal }");
    const { signal, timeoutMs } = options;
    await this.#waitingForRoom.until(() => this.#isDrained(), {
      signal,
      timeoutMs,
      timeoutText: () => `publications of ${this.#topic.fullName} still wait for their subscribers`,
    });
  }

  publish(key: unknown, message: unknown): PublishResult {
    this.#checkOpen();
    const state = this.#keyState(key);
    this.#encode(message);
    return this.#publish(state, this.#message);
  }

  /** Publishes what is encoded, or is encoded now. A payload that others hold, its caller drops. */
  #publish(state: KeyState, payload: Payload): PublishResult {
    const { history } = this.rules;
    // Only where the latest values of several publishers may be compared.
    const timeUs = history > 0 ? this.#nowUs() : 0;
    // Encoded apart from a link's memory only where that is needed: for history, for a queue, or for several links.
    let kept = history > 0 ? keep(payload, this.#store) : undefined;
    const sentTogether =
      this.#subscribers.size > 1 ? this.#fanOut.publish(state, timeUs, kept ?? payload) : 0;
    if (sentTogether === 0 && this.#subscribers.size > 1) kept ??= keep(payload, this.#store);
    // Where encoding throws no number is used up.
    const seq = ++state.seq;
    if (kept !== undefined && history > 0) {
      state.history.push({ key: state, seq, timeUs, payload: kept.hold() });
      if (state.history.length > history) state.history.shift()!.payload.drop();
    }
    let matched = sentTogether;
    let sent = sentTogether;
    let queued = 0;
    let dropped = 0;
    const { others } = this.#fanOut;
    try {
      if (sentTogether > 0 && others.length > 1) kept ??= keep(payload, this.#store);
      for (const subscriber of sentTogether > 0 ? others : this.#subscribers) {
        if (!this.#isFor(subscriber, state)) continue;
        matched++;
        if (subscriber.sendNow(state, seq, timeUs, kept ?? payload)) {
          sent++;
          continue;
        }
        kept ??= keep(payload, this.#store);
        const outcome = subscriber.enqueue({ key: state, seq, timeUs, payload: kept });
        if (outcome !== "dropped") queued++;
        if (outcome !== "queued") dropped++;
      }
    } finally {
      kept?.drop();
    }
    return { seq, matched, sent, queued, dropped };
  }

  async publishWhenReady(key: unknown, message: unknown, options?: PublishOptions): Promise<PublishResult> {
    if (options?.signal?.aborted === true) throw abortError(options.signal);
    if (this.#waitingPublications === 0 && this.#hasRoomFor(key)) return this.publish(key, message);
    return this.#publishInTurn({ key, publish: () => this.publish(key, message) }, options);
  }

  /** As `KeyedPublisher.loan`. */
  loan(key: unknown, maxBytes: number, options: LoanOptions | undefined): AnyLoan {
    this.#checkOpen();
    const { response: codec, fullName } = this.#topic;
    const state = this.#keyState(key);
    const { maxMessageBytes } = this.#home.limits;
    const request = { codec, fullName, maxBytes, options, maxMessageBytes, store: this.#store };
    const loan = makeLoan(request, {
      publish: (payload) => this.#publish(state, payload),
      whenReady: async (publish, bounds) => {
        if (bounds?.signal?.aborted === true) throw abortError(bounds.signal);
        if (this.#waitingPublications === 0 && this.#hasRoomFor(state.key)) return publish();
        return this.#publishInTurn({ key: state.key, publish }, bounds);
      },
      onOver: (over) => this.#loans.delete(over),
    });
    this.#loans.add(loan);
    return loan;
  }

  /** Publishes after those who wait already, when there is room. */
  async #publishInTurn(intent: Intent, options: PublishOptions | undefined): Promise<PublishResult> {
    this.#waitingPublications++;
    const before = this.#lastPublication;
    const publication = this.#publishLater(before, intent, options);
    // One that gives up while another one is before it does not let those behind it pass that one. Without the outcomes:
    // each would hold all before it.
    this.#lastPublication = Promise.allSettled([before, publication]).then(() => undefined);
    try {
      return await publication;
    } finally {
      // At once, and not when the promise above has settled: the next one would wait for it, and so would all others.
      if (--this.#waitingPublications === 0) this.#lastPublication = undefined;
    }
  }

  /** Ends every subscription when all that waits for it is sent, or the drain timeout has passed. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  accept(_connection: Connection, stream: Stream): Subscriber {
    return new Subscriber(stream, this);
  }

  onFilter(subscriber: Subscriber, bytes: Uint8Array, start: number, end: number): void {
    const { request } = this.#topic;
    try {
      subscriber.filter = request.decode(bytes, start, end, false, this.#home.limits.maxNesting);
    } catch (cause) {
      subscriber.refuse(undecodable("the filter", request.typeName, "INVALID_ARGUMENT", cause));
      return;
    }
    if (this.#closing !== undefined) {
      subscriber.refuse(new IpcError("UNAVAILABLE", `the publisher of ${this.#topic.fullName} is closing`));
      return;
    }
    this.#fanOut.settle();
    this.#subscribers.add(subscriber);
    this.#chooseStore();
    markSharedLinks(this.#subscribers);
    const history: PendingPublication[] = [];
    for (const state of this.#keys.values()) {
      if (state.history.length === 0 || !this.#isFor(subscriber, state)) continue;
      for (const publication of state.history) history.push(publication);
    }
    subscriber.begin(history);
    this.#waitingForSubscribers.check();
  }

  onRoom(): void {
    this.#waitingForRoom.check();
  }

  onGone(subscriber: Subscriber): void {
    this.#fanOut.settle();
    this.#subscribers.delete(subscriber);
    this.#chooseStore();
    markSharedLinks(this.#subscribers);
    this.#waitingForRoom.check();
    if (this.#subscribers.size === 0) this.#onEmpty?.();
  }

  async #publishLater(
    before: Promise<unknown> | undefined,
    intent: Intent,
    options: PublishOptions | undefined,
  ): Promise<PublishResult> {
    const { host } = this.#home;
    const { blockTimeoutMs } = this.rules;
    const signal = options?.signal;
    const timeoutMs = options?.timeoutMs ?? Number.POSITIVE_INFINITY;
    const endMs = host.now() + timeoutMs;
    if (before !== undefined) {
      let isItsTurn = false;
      void before.then(() => {
        isItsTurn = true;
        this.#waitingForRoom.check();
      });
      const bounds = { signal, timeoutMs, timeoutText: undefined };
      const waited = await this.#waitingForRoom.until(() => isItsTurn || this.#closing !== undefined, bounds);
      if (waited === "timeout") throw this.#timedOut(timeoutMs);
    }
    const leftMs = endMs - host.now();
    if (leftMs <= 0) throw this.#timedOut(timeoutMs);
    const waited = await this.#waitingForRoom.until(
      () => this.#closing !== undefined || this.#hasRoomFor(intent.key),
      {
        signal,
        timeoutMs: Math.min(blockTimeoutMs, leftMs),
        timeoutText: undefined,
      },
    );
    if (waited === "timeout") {
      if (leftMs < blockTimeoutMs) throw this.#timedOut(timeoutMs);
      // Who was waited for as long as the topic allows loses the message, and is not waited for again until it reads. Who
      // has room, and only many bytes in it, gets the message.
      const state = this.#keyState(intent.key);
      for (const subscriber of this.#subscribers) {
        if (!subscriber.hasRoom && this.#isFor(subscriber, state)) subscriber.isLagging = true;
      }
    }
    return intent.publish();
  }

  #timedOut(timeoutMs: number): IpcError {
    const text = `no room for a publication of ${this.#topic.fullName} within ${timeoutMs} ms`;
    return new IpcError("DEADLINE_EXCEEDED", text);
  }

  async #close(): Promise<void> {
    const { fullName } = this.#topic;
    this.#home.onClosed(fullName);
    for (const [identity, { seq }] of this.#keys) this.#home.numbers.set(identity, seq);
    // Nobody joins any more. Those who are about to get it hold it themselves.
    for (const { history } of this.#keys.values()) {
      for (const { payload } of history.splice(0)) payload.drop();
    }
    for (const loan of this.#loans) loan.release();
    this.#waitingForRoom.check();
    this.#waitingForSubscribers.fail(new IpcError("CANCELLED", `the publisher of ${fullName} is closed`));
    if (this.#subscribers.size === 0) return;
    await new Promise<void>((resolve) => {
      const late = new IpcError("UNAVAILABLE", `the publisher of ${fullName} closed before all was read`);
      const cancelTimer = this.#home.host.setTimer(() => {
        for (const subscriber of [...this.#subscribers]) subscriber.end(late);
      }, this.#home.drainTimeoutMs);
      this.#onEmpty = () => {
        cancelTimer();
        resolve();
      };
      for (const subscriber of [...this.#subscribers]) subscriber.end("well");
    });
  }

  /**
   * A subscriber came or went. Publications are stored where links can send them from: in the endpoint's own store where a
   * subscriber's link is of its transport, else in the one of another link that has one. Nowhere while all subscribers'
   * links copy what they send: then a store would cost its memory for nothing.
   */
  #chooseStore(): void {
    const preferred = this.#home.blocks;
    let chosen: BlockStore | undefined;
    for (const { blocks } of this.#subscribers) {
      if (blocks === preferred) {
        chosen = preferred;
        break;
      }
      chosen ??= blocks;
    }
    this.#store = this.#subscribers.size === 0 ? preferred : chosen;
  }

  #nowUs(): number {
    const { host } = this.#home;
    return Math.round((host.now() + host.clock.offsetMs) * 1_000);
  }

  #checkOpen(): void {
    if (this.#closing === undefined) return;
    throw new IpcError("FAILED_PRECONDITION", `the publisher of ${this.#topic.fullName} is closed`);
  }

  #encode(message: unknown): void {
    const { response, fullName } = this.#topic;
    try {
      this.#message.set(response, message);
    } catch (cause) {
      if (isIpcError(cause)) throw cause;
      const text = `a publication of ${fullName} could not be encoded as ${response.typeName}`;
      throw new IpcError("INVALID_ARGUMENT", text, { cause });
    }
    const limit = this.#home.limits.maxMessageBytes;
    if (this.#message.maxBytes > limit) {
      const kept = keep(this.#message, undefined);
      const size = kept.maxBytes;
      kept.drop();
      if (size <= limit) return;
      const text = `a publication of ${size} bytes is above the limit of ${limit} bytes (maxMessageBytes)`;
      throw new IpcError("RESOURCE_EXHAUSTED", text);
    }
  }

  #hasRoomFor(key: unknown): boolean {
    if (this.rules.overflow !== "block") return true;
    const state = this.#keyState(key);
    for (const subscriber of this.#subscribers) {
      if (!subscriber.isReady && !subscriber.isLagging && this.#isFor(subscriber, state)) return false;
    }
    return true;
  }

  #isDrained(): boolean {
    for (const subscriber of this.#subscribers) if (!subscriber.isDrained) return false;
    return true;
  }

  #isFor(subscriber: Subscriber, state: KeyState): boolean {
    if (this.#fields.length === 0) return true;
    let matches = subscriber.matches.get(state);
    if (matches === undefined) {
      matches = matchesFilter(this.#fields, subscriber.filter, state.key);
      subscriber.matches.set(state, matches);
    }
    return matches;
  }

  #keyState(key: unknown): KeyState {
    if (this.#topic.kind === "unkeyedTopic") return this.#keys.get(0)!;
    const { request, fullName } = this.#topic;
    const identity = keyIdentity(fullName, this.#fields, key);
    const known = this.#keys.get(identity);
    if (known !== undefined) return known;
    const limit = this.#home.limits.maxKeys;
    if (this.#keys.size >= limit) {
      throw new IpcError("RESOURCE_EXHAUSTED", `${fullName} has ${limit} keys already, the limit (maxKeys)`);
    }
    let encoded: BytesPayload;
    try {
      encoded = keep(this.#message.set(request, key), undefined);
    } catch (cause) {
      const text = `a key of ${fullName} could not be encoded as ${request.typeName}`;
      throw new IpcError("INVALID_ARGUMENT", text, { cause });
    }
    if (encoded.maxBytes > MAX_KEY_BYTES) {
      const text = `a key of ${fullName} has ${encoded.maxBytes} bytes, above the limit of ${MAX_KEY_BYTES}`;
      throw new IpcError("RESOURCE_EXHAUSTED", text);
    }
    // What was encoded is decoded again, so that the user may change the object, and equality is that of the wire.
    const whole = request.decode(encoded.bytes, encoded.start, encoded.end, false);
    const state = newKey(this.#keys.size + 1, whole, encoded, this.#home.numbers.get(identity));
    this.#keys.set(identity, state);
    return state;
  }
}

function newKey(id: number, key: unknown, encoded: BytesPayload, seq = 0): KeyState {
  return { id, key, encoded, seq, history: [] };
}
