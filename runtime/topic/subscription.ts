import type {
  LatestValue,
  Publication,
  PublisherEvent,
  ReceiveOptions,
  SubscribeOptions,
  Subscription,
  SubscriptionReadyOptions,
  ViewOptions,
} from "../api.js";
import { type BackOffRules, backOffRules } from "../back-off.js";
import type { Channel } from "../client.js";
import { checkCanBlock } from "../client-blocking.js";
import { abortError } from "../client-call.js";
import { checkInPlaceType } from "../codec/inplace/check-type.js";
import type { MessageView, ViewType } from "../codec/inplace/view.js";
import { settleable } from "../connection.js";
import type { AnyTopic } from "../definition.js";
import { IpcError } from "../error.js";
import type { Host } from "../host.js";
import { MessageQueue } from "../message-queue.js";
import type { Peer } from "../peer.js";
import type { Registry } from "../registry.js";
import { receiveOnce } from "../session/blocking.js";
import { BorrowingIterator, type PublicationWithLoan } from "./borrowed.js";
import { DomainFeeds } from "./domain-feeds.js";
import { Feed, type FeedOwner } from "./feed.js";
import { LatestValues } from "./latest.js";
import type { TopicSource } from "./source.js";
import { type KeyIdentity, keyIdentity } from "./topic-key.js";
import { Waiters } from "./waiters.js";

/** Where a subscription lives. */
export interface SubscriptionHome {
  readonly host: Host;
  /** Leads to an address or a connected peer. */
  channel(target: string | Peer): Channel;
  /** The endpoints of the domain; absent where they are not found. */
  readonly registry: Registry | undefined;
  /** Called once, when the subscription is over. */
  onDone(): void;
}

/** The options of both kinds of subscriptions. */
export type AnySubscribeOptions = SubscribeOptions<unknown, unknown> &
  Partial<Pick<ViewOptions<unknown, MessageView>, "view">>;

const NO_FIELDS: readonly string[] = [];

/** A subscription, at one publisher or at all of the domain: one queue of what they publish. */
export class TopicSubscription implements FeedOwner, Subscription<unknown, unknown> {
  readonly topic: AnyTopic;
  readonly host: Host;
  readonly filter: unknown;
  readonly borrows: boolean;
  readonly view: ViewType<MessageView> | undefined;
  readonly wants: ((message: unknown) => boolean) | undefined;
  readonly identifiesKeys: boolean;
  readonly #home: SubscriptionHome;
  readonly #fields: readonly string[];
  readonly #rules: BackOffRules | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #onPublisher: ((event: PublisherEvent<unknown>) => void) | undefined;
  readonly #queue: MessageQueue<Publication<unknown, unknown>>;
  readonly #borrowing: BorrowingIterator | undefined;
  readonly #latest: LatestValues<TopicSource> | undefined;
  readonly #isLatestOnly: boolean;
  readonly #waiters: Waiters;
  readonly #ended = settleable<void>();
  /** Those of a subscription without `from`. */
  readonly #domain: DomainFeeds | undefined;
  /** The one of a subscription with `from`. */
  #feed: Feed | undefined;
  readonly #sources = new Map<TopicSource, Feed>();
  /** Sources that have ended while the reader had something of theirs. */
  readonly #lenders = new Set<TopicSource>();
  #end: { readonly error: IpcError | undefined } | undefined;
  #letGo: (() => void) | undefined;
  #received = 0;
  #lost = 0;
  readonly #onAbort = (): void => this.#finish(abortError(this.#signal!));

  /** Throws a `TypeError` for an option that cannot be, `IpcError` as `channel` of the home does. */
  constructor(topic: AnyTopic, filter: unknown, options: AnySubscribeOptions, home: SubscriptionHome) {
    const { from, signal, borrow = false, reconnect, latestOnly = false, onPublisher } = options;
    if (latestOnly && (borrow || topic.rules.history === 0)) {
      const why = borrow ? "a subscription that borrows keeps none" : "the topic keeps no history";
      throw new TypeError(`latestOnly for ${topic.fullName}: there are no latest values, ${why}`);
    }
    this.topic = topic;
    this.host = home.host;
    this.filter = filter;
    this.borrows = borrow;
    this.view = options.view;
    this.wants = options.filter;
    if (options.view !== undefined) checkInPlaceType("view", options.view, topic.response.typeName);
    this.#isLatestOnly = latestOnly;
    this.#home = home;
    this.#fields = topic.kind === "topic" ? topic.keyFields : NO_FIELDS;
    this.#rules = backOffRules(reconnect);
    this.#signal = signal;
    this.#onPublisher = onPublisher;
    this.#waiters = new Waiters(home.host);
    // What is borrowed is gone with the next publication, and cannot be kept.
    if (topic.rules.history > 0 && !borrow) this.#latest = new LatestValues();
    this.identifiesKeys = this.#latest !== undefined || from === undefined || this.#rules !== undefined;
    this.#queue = new MessageQueue({
      onTaken: () => undefined,
      onAbandoned: () => {
        this.#releaseBorrowed();
        this.#finish(new IpcError("CANCELLED", "the subscriber stopped reading"));
      },
    });
    if (borrow) this.#borrowing = new BorrowingIterator(this.#queue);
    if (from !== undefined) {
      const rules = this.#rules;
      this.#feed = new Feed(this, { channel: home.channel(from), incarnation: undefined, rules, comesBack });
      return;
    }
    if (home.registry === undefined) {
      throw new TypeError(`subscribe to ${topic.fullName} without "from", where endpoints are not found`);
    }
    const { fullName } = topic;
    this.#domain = new DomainFeeds(this, {
      registry: home.registry,
      fullName,
      rules: this.#rules ?? backOffRules(true)!,
      channel: (address) => home.channel(address),
    });
  }

  /** Subscribes. Called once, when the subscription is known to its endpoint. */
  begin(): void {
    if (this.#signal?.aborted === true) {
      this.#finish(abortError(this.#signal));
      return;
    }
    this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
    // While there is no link, nothing else keeps the process running.
    if (this.#rules !== undefined) this.#letGo = this.host.hold();
    this.#feed?.begin();
    this.#domain?.begin();
  }

  get received(): number {
    return this.#received;
  }

  get lost(): number {
    return this.#lost;
  }

  get publishers(): readonly Peer[] {
    return [...this.#sources.keys()].filter(({ isConfirmed }) => isConfirmed).map(({ peer }) => peer);
  }

  async ready(options: SubscriptionReadyOptions = {}): Promise<void> {
    const { publishers, signal, timeoutMs } = options;
    if (publishers !== undefined && (!Number.isInteger(publishers) || publishers < 0)) {
      throw new TypeError(`publishers is ${publishers}; it must be a whole number from 0`);
    }
    this.#throwIfEnded();
    const startMs = this.host.now();
    if (publishers === undefined) await this.#domain?.ready;
    this.#throwIfEnded();
    const { fullName } = this.topic;
    const passedMs = this.host.now() - startMs;
    await this.#waiters.until(() => this.#isReady(publishers), {
      signal,
      timeoutMs: timeoutMs === undefined ? undefined : Math.max(0, timeoutMs - passedMs),
      timeoutText: () => `${fullName}: ${this.publishers.length} publishers have confirmed`,
    });
  }

  latest(key?: unknown): LatestValue<unknown, unknown> | undefined {
    return this.#latestValues().newest(this.#identityOf(key));
  }

  values(key?: unknown): readonly LatestValue<unknown, unknown>[] {
    return this.#latestValues().values(this.#identityOf(key));
  }

  async close(): Promise<void> {
    // Whoever closes it knows that it is over: its reader sees the end, not an error.
    await this.#queue.return();
    this.#releaseBorrowed();
    this.#finish(new IpcError("CANCELLED", "the subscription is closed"));
    await this.#ended.promise;
  }

  receive(options: ReceiveOptions = {}): Publication<unknown, unknown> | undefined {
    const { timeoutMs = Number.POSITIVE_INFINITY } = options;
    if (!(timeoutMs >= 0)) throw new TypeError(`timeoutMs is ${timeoutMs}; it must be a number from 0`);
    const { fullName } = this.topic;
    if (this.#domain !== undefined) {
      const text = `${fullName}: a subscription without "from" has many links, and a thread waits for one at a time`;
      throw new IpcError("UNIMPLEMENTED", text);
    }
    const connection = this.#feed?.source?.connection;
    const queue = this.#borrowing ?? this.#queue;
    if (connection === undefined) {
      const waiting = queue.poll();
      if (waiting !== undefined || this.#end !== undefined) return waiting?.value;
      const text = `${fullName}: there is no link to the publisher yet; await subscription.ready() first`;
      throw new IpcError("FAILED_PRECONDITION", text);
    }
    if (this.#queue.isAwaited) {
      throw new IpcError("FAILED_PRECONDITION", `${fullName}: a loop waits for the next publication already`);
    }
    checkCanBlock(connection, fullName);
    const { session } = connection;
    const endMs = this.host.now() + timeoutMs;
    for (let result = queue.poll(); ; result = queue.poll()) {
      if (result !== undefined) return result.value;
      const leftMs = endMs - this.host.now();
      if (!receiveOnce(session, Math.max(0, leftMs)) || leftMs <= 0) return queue.poll()?.value;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<Publication<unknown, unknown>> {
    return this.#publications();
  }

  async forEach(use: (publication: Publication<unknown, unknown>) => unknown): Promise<void> {
    if (typeof use !== "function") throw new TypeError("forEach takes a function");
    await this.#publications().forEach(use);
  }

  // ---- What sources and feeds tell ----

  onConfirmed(source: TopicSource): void {
    this.#tell({ kind: "joined", publisher: source.peer });
    this.#waiters.check();
  }

  onPublication(
    source: TopicSource,
    publication: Publication<unknown, unknown>,
    bytes: number,
    identity: KeyIdentity | undefined,
    publishedAtMs: number,
    isNew: boolean,
  ): void {
    if (identity !== undefined && this.#latest !== undefined) {
      const { key, message, seq, publisher } = publication;
      this.#latest.set(identity, source, { key, message, seq, publisher, publishedAtMs });
    }
    if (!isNew) return;
    this.#received++;
    if (this.#isLatestOnly) source.onTaken(bytes);
    else this.#queue.push(publication, bytes, source);
  }

  onLost(count: number): void {
    this.#lost += count;
  }

  onBegin(source: TopicSource, feed: Feed): void {
    for (const lender of this.#lenders) if (!lender.hasBorrowed) this.#lenders.delete(lender);
    this.#sources.set(source, feed);
  }

  onEnd(source: TopicSource, error: IpcError | undefined): void {
    const feed = this.#sources.get(source);
    this.#sources.delete(source);
    if (source.hasBorrowed) this.#lenders.add(source);
    const keys = this.#latest?.drop(source) ?? [];
    if (source.isConfirmed && this.#end === undefined)
      this.#tell({ kind: "left", publisher: source.peer, reason: error, keys });
    feed?.onSourceEnd(source, error);
    this.#waiters.check();
  }

  onFeedOver(feed: Feed, error: IpcError | undefined): void {
    if (this.#domain === undefined) this.#finish(error);
    else this.#domain.onFeedOver(feed, error);
    this.#waiters.check();
  }

  onUnusable(error: IpcError): void {
    this.#finish(error);
  }

  isRead(publication: PublicationWithLoan): boolean {
    return this.#borrowing?.isRead(publication) === true;
  }

  #publications(): BorrowingIterator | MessageQueue<Publication<unknown, unknown>> {
    if (this.#isLatestOnly) {
      const text = `the subscription to ${this.topic.fullName} keeps the latest values only (latestOnly)`;
      throw new IpcError("FAILED_PRECONDITION", text);
    }
    return this.#borrowing ?? this.#queue;
  }

  #releaseBorrowed(): void {
    for (const source of [...this.#sources.keys(), ...this.#lenders]) source.releaseBorrowed();
    this.#lenders.clear();
  }

  #isReady(publishers: number | undefined): boolean {
    if (this.#domain !== undefined && publishers === undefined) return this.#domain.allConfirmed;
    return this.publishers.length >= (publishers ?? 1);
  }

  #throwIfEnded(): void {
    if (this.#end !== undefined) throw this.#end.error ?? this.#endedEarly();
  }

  #endedEarly(): IpcError {
    const text = `the publisher of ${this.topic.fullName} ended before it confirmed`;
    return new IpcError("UNAVAILABLE", text);
  }

  #latestValues(): LatestValues<TopicSource> {
    if (this.#latest !== undefined) return this.#latest;
    const why = this.borrows ? "the subscription borrows" : "the topic keeps no history";
    const text = `${this.topic.fullName} has no latest values: ${why}`;
    throw new IpcError("FAILED_PRECONDITION", text);
  }

  #identityOf(key: unknown): KeyIdentity {
    return this.topic.kind === "unkeyedTopic" ? 0 : keyIdentity(this.topic.fullName, this.#fields, key);
  }

  #tell(event: PublisherEvent<unknown>): void {
    try {
      this.#onPublisher?.(event);
    } catch (error) {
      this.host.warn(error);
    }
  }

  #finish(error: IpcError | undefined): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#letGo?.();
    const reason = error ?? new IpcError("CANCELLED", "the subscription is over");
    this.#feed?.stop(reason);
    this.#domain?.stop(reason);
    this.#waiters.fail(error ?? this.#endedEarly());
    this.#queue.end(error);
    this.#ended.resolve();
    this.#home.onDone();
  }
}

/** Whether a subscription that is to reconnect does so: the publisher may come back after each of these. */
function comesBack(error: IpcError | undefined): boolean {
  return error === undefined || error.code === "UNAVAILABLE" || error.code === "UNIMPLEMENTED";
}
