import type { Target } from "./api.js";
import type { BackOffPolicy } from "./back-off.js";
import type { ViewType } from "./codec/inplace/view.js";
import type { IpcError } from "./error.js";
import type { Peer } from "./peer.js";

/** Where a subscription leads, and how it goes on. */
export interface SubscribeOptions<Key = unknown, Message = unknown> {
  /**
   * The publisher's address, or a connected peer. Without it the subscription is fed by every publisher of the topic in the
   * domain, those that come later among them, and goes on until it is ended here.
   */
  readonly from?: Target | undefined;
  /** Ends the subscription when it aborts; the loop over it then throws CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Leaves the large fields of a message in the publisher's memory where the link can do that, instead of copying them:
   * singular fields of bytes of the message itself, of 16,384 bytes or more, not required and of no oneof. They may be
   * read until the next publication is asked for or `release` of the publication is called, and are empty afterwards;
   * whoever writes to them ends the process. Publications are then `BorrowedPublication`s.
   */
  readonly borrow?: boolean | undefined;
  /**
   * With `from`: dials again when the publisher is not there, its link is lost or it closes, instead of ending; true for
   * the usual pauses. From the same run of the publisher, what was missed meanwhile is counted as lost, and nothing is told
   * twice; a restarted one begins anew, and what its predecessor published unseen nobody can tell. Without `from` it says
   * with which pauses a publisher is tried again that is there.
   */
  readonly reconnect?: boolean | BackOffPolicy | undefined;
  /**
   * Nothing is queued: only the latest values are kept, for `latest` and `values`, and there is no loop. For topics with
   * `history`.
   */
  readonly latestOnly?: boolean | undefined;
  /**
   * Whether a publication is wanted, by its message. One that is not is passed over: it is not queued, kept as a latest value
   * or counted, neither as received nor as lost. A borrowed message may be read during the call alone. What it throws ends
   * the subscription at that publisher, as a message that cannot be decoded does.
   */
  readonly filter?: ((message: Message) => boolean) | undefined;
  /** Told when a publisher has confirmed the subscription, and when it is gone. What it throws becomes a warning. */
  readonly onPublisher?: ((event: PublisherEvent<Key>) => void) | undefined;
}

/** As `SubscribeOptions`, for messages that are read in place. */
export interface ViewOptions<Key, View> extends SubscribeOptions<Key, View> {
  /**
   * The class that the plugin generates with `in_place=true`: `QuoteView` for messages `Quote`. Messages are not decoded: each
   * is a view, whose getters read the field that is asked for, and throw where the bytes are no such message. With `borrow`,
   * messages of 16,384 bytes or more stay in the publisher's memory whole, where it can change them while they are read;
   * else a view has a private copy.
   */
  readonly view: ViewType<View>;
}

/** A publisher feeds a subscription from now on, or does so no more. */
export type PublisherEvent<Key> =
  | { readonly kind: "joined"; readonly publisher: Peer }
  | {
      readonly kind: "left";
      readonly publisher: Peer;
      /** Why; `undefined` where it ended the subscription well, after all that it had for it. */
      readonly reason: IpcError | undefined;
      /** The keys whose latest values of this publisher are gone with it. */
      readonly keys: readonly Key[];
    };

/** What a subscription waits for, and how long. */
export interface SubscriptionReadyOptions {
  /** How many publishers are to have confirmed: a whole number from 0. */
  readonly publishers?: number | undefined;
  /** Ends the wait when it aborts: `ready` rejects with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  /** Rejects with DEADLINE_EXCEEDED after so many milliseconds. Without it `ready` may wait for ever. */
  readonly timeoutMs?: number | undefined;
}

/** The newest message of one key from one publisher. */
export interface LatestValue<Key, Message> {
  readonly key: Key;
  /** Shared with the publication that the loop reads: not to be changed. */
  readonly message: Message;
  readonly seq: number;
  readonly publisher: Peer;
  /**
   * When it was published, on the machine's monotonic clock as `performance.now()` of this process counts it; when it came,
   * where the publisher's clock is another one.
   */
  readonly publishedAtMs: number;
}

/** A key as it is asked for: plain, every field set. */
export type PlainKey<Key> = Key extends undefined ? undefined : Omit<Key, "$typeName" | "$unknown">;

/** One message of a topic, as received. */
export interface Publication<Key, Message> {
  /** The key, whole; shared by all publications of the same key. `undefined` for an unkeyed topic. */
  readonly key: Key;
  /** The message, decoded. */
  readonly message: Message;
  /** Its number among the publisher's publications of this key, from 1. */
  readonly seq: number;
  /** How many publications of this key were lost between the one before and this one. */
  readonly lost: number;
  /** Who published it. Its `incarnation` tells a restarted publisher, whose numbers begin anew, from the one before. */
  readonly publisher: Peer;
}

/** A message of a subscription that borrows. */
export interface BorrowedPublication<Key, Message> extends Publication<Key, Message> {
  /** Whether large fields of the message are the publisher's memory now; else all of it is private. */
  readonly isBorrowed: boolean;
  /**
   * Gives the publisher's memory back: the fields that were borrowed are empty from here on, and the getters of a borrowed
   * view throw `IpcError` FAILED_PRECONDITION. Idempotent.
   */
  release(): void;
}

/** How long `receive` blocks. */
export interface ReceiveOptions {
  /** In milliseconds, from 0. Without it, until there is a publication. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Publications as they come. Iterate it once; `break` ends the subscription. With `from`, the loop ends when the publisher
 * closes, and throws `IpcError` where it cannot go on: UNAVAILABLE when the publisher is not there or its link is lost,
 * RESOURCE_EXHAUSTED when it found this subscriber too slow, CANCELLED when `signal` aborted. With `reconnect` the first
 * two are no ends. Without `from`, the loop ends with its endpoint, and publishers come and go.
 */
export interface Subscription<
  Key,
  Message,
  Received extends Publication<Key, Message> = Publication<Key, Message>,
> extends AsyncIterable<Received>,
    AsyncDisposable {
  /**
   * Resolves when the publisher has confirmed: nothing published from now on is missed unnoticed. Without `from`: when all
   * publishers have that are there, if any. With `publishers`: when so many have. Rejects with the `IpcError` that the loop
   * throws, DEADLINE_EXCEEDED or CANCELLED, and a `TypeError` for a number that cannot be.
   */
  ready(options?: SubscriptionReadyOptions): Promise<void>;
  /** The publishers that feed it now. */
  readonly publishers: readonly Peer[];
  /**
   * The newest value of a key over all publishers, read or not; `undefined` where there is none. A value lasts as long as
   * the link to its publisher. For topics with `history`; throws `IpcError` FAILED_PRECONDITION for others and where the
   * subscription borrows, INVALID_ARGUMENT for a key that does not set every field.
   */
  latest(...key: Key extends undefined ? [] : [key: PlainKey<Key>]): LatestValue<Key, Message> | undefined;
  /** As `latest`: the newest value of each publisher, the newest of all first. */
  values(...key: Key extends undefined ? [] : [key: PlainKey<Key>]): readonly LatestValue<Key, Message>[];
  /**
   * Calls a function with every publication, in their order, as a loop over the subscription would: right when one comes,
   * without a promise for each, which is the fastest way to receive many. What the function does holds up all that comes over
   * the same link. Where it returns a promise the next publication waits for that. Resolves when the subscription is over,
   * rejects with the `IpcError` that the loop throws. Where the function throws, or its promise rejects, the subscription ends
   * and this rejects with the same. What was borrowed for a publication is given back when the function returns, or its promise
   * settles, and by `close` all of it. Rejects with FAILED_PRECONDITION while somebody else reads and for a subscription with `latestOnly`.
   */
  forEach(use: (publication: Received) => unknown): Promise<void>;
  /**
   * The next publication, waited for on this thread: no other code runs meanwhile but what the link brings (handlers of
   * its peer's calls, other subscriptions). Meant for worker threads. `undefined` when the time is over, and when the
   * publisher has closed. Throws the `IpcError` that the loop throws, once; FAILED_PRECONDITION before the link is up
   * (`ready` resolves then) and while there is none, while somebody else reads, and from within a callback that is told of something on the same link;
   * UNIMPLEMENTED where the link's transport cannot do that and without `from`; a `TypeError` for a time that cannot be.
   */
  receive(options?: ReceiveOptions): Received | undefined;
  /** How many publications were received. */
  readonly received: number;
  /** How many publications the publisher reported as lost on the way to this subscriber, over all keys. */
  readonly lost: number;
  /** Ends the subscription. Idempotent. */
  close(): Promise<void>;
}
