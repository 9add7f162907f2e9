import type { CallContext } from "./call-context.js";
import type { KeyedTopic, ServiceDefinition, UnkeyedTopic } from "./definition.js";
import type { IpcError } from "./error.js";
import type { Interceptor } from "./interceptor.js";
import type { Limits } from "./limits.js";
import type { Peer } from "./peer.js";

/** Whom a client or subscription talks to: an address ("market", "unix:market", "memory:market") or a connected peer. */
export type Target = string | Peer;

/** How a service is served. */
export interface ServeOptions {
  /** Around every handler of this service, the first one outermost, inside those of the endpoint. */
  readonly interceptors?: readonly Interceptor[] | undefined;
}

/** What holds for every call of a client. */
export interface ClientOptions {
  /** Around every call of this client, the first one outermost, inside those of the endpoint. */
  readonly interceptors?: readonly Interceptor[] | undefined;
  /** The `timeoutMs` of calls that give none, in milliseconds, above 0. */
  readonly timeoutMs?: number | undefined;
}

/** What became of a publication. */
export interface PublishResult {
  /** Its number among the publications of its key, from 1. */
  readonly seq: number;
  /** The subscribers whose filter it matches. */
  readonly matched: number;
  /** Of those, how many it was handed to the link for at once. */
  readonly sent: number;
  /** Of those, in how many queues it waits. */
  readonly queued: number;
  /** Of those, how many lost a message for it: this one, or with "dropOldest" an older one. */
  readonly dropped: number;
}

/** What `ready` of a publisher waits for, and how long. */
export interface ReadyOptions {
  /** How many subscribers to wait for, a whole number from 0. */
  readonly subscribers: number;
  /** Ends the wait when it aborts: `ready` rejects with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  /** Rejects with DEADLINE_EXCEEDED after so many milliseconds. Without it `ready` may wait for ever. */
  readonly timeoutMs?: number | undefined;
}

/** How long `publishWhenReady` waits. */
export interface PublishOptions {
  /** Bounds the wait for room in milliseconds, besides the topic's `block_timeout`. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait when it aborts: the publication is not made, and the promise rejects with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
}

interface PublisherBase extends AsyncDisposable {
  /** The subscribers at this moment. */
  readonly subscribers: number;
  /**
   * Resolves when so many are subscribed. What is published after that reaches each of them, or is counted as lost.
   * Rejects with `IpcError` DEADLINE_EXCEEDED, CANCELLED (also by `close`), or a `TypeError` for a number that cannot be.
   */
  ready(options: ReadyOptions): Promise<void>;
  /** Sends what is queued, then ends every subscription well. Idempotent. */
  close(): Promise<void>;
}

/** Publishes a keyed topic. */
export interface KeyedPublisher<Key, Message> extends PublisherBase {
  /**
   * Publishes and never waits. Where a queue is full, the topic's overflow rule decides; with "block" the subscriber
   * loses this message. Throws `IpcError` INVALID_ARGUMENT for a key that does not set every field, RESOURCE_EXHAUSTED
   * for a message above `maxMessageBytes` or a key beyond `maxKeys`, FAILED_PRECONDITION after `close`.
   */
  publish(key: Key, message: Message): PublishResult;
  /**
   * As `publish`, after waiting for room where the topic's overflow is "block"; with another it does not wait.
   * Publications keep their order. A subscriber that has no room after `block_timeout` loses the message. Rejects as
   * `publish` throws, and with `IpcError` DEADLINE_EXCEEDED or CANCELLED as the options say: then nothing is published.
   */
  publishWhenReady(key: Key, message: Message, options?: PublishOptions): Promise<PublishResult>;
}

/** Publishes a topic without a key. */
export interface UnkeyedPublisher<Message> extends PublisherBase {
  /** As `KeyedPublisher.publish`. */
  publish(message: Message): PublishResult;
  /** As `KeyedPublisher.publishWhenReady`. */
  publishWhenReady(message: Message, options?: PublishOptions): Promise<PublishResult>;
}

/** Where a subscription leads. */
export interface SubscribeOptions {
  /** The publisher's address, or a connected peer. */
  readonly from: Target;
  /** Ends the subscription when it aborts; the loop over it then throws CANCELLED. */
  readonly signal?: AbortSignal | undefined;
}

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

/**
 * Publications as they come. Iterate it once; `break` ends the subscription. The loop ends when the publisher closes, and
 * throws `IpcError` where it cannot go on: UNAVAILABLE when the publisher is not there or its link is lost,
 * RESOURCE_EXHAUSTED when it found this subscriber too slow, CANCELLED when `signal` aborted.
 */
export interface Subscription<Key, Message>
  extends AsyncIterable<Publication<Key, Message>>,
    AsyncDisposable {
  /**
   * Resolves when the publisher has confirmed: nothing published from now on is missed unnoticed. Rejects with the
   * `IpcError` that the loop throws.
   */
  ready(): Promise<void>;
  /** How many publications were received. */
  readonly received: number;
  /** How many publications the publisher reported as lost on the way to this subscriber, over all keys. */
  readonly lost: number;
  /** Ends the subscription. Idempotent. */
  close(): Promise<void>;
}

/** What `on` listens to. What a listener throws becomes a process warning. */
export interface EndpointEvents {
  /** A link is up and introduced, whoever dialled. */
  peerConnected: (peer: Peer) => void;
  /** A link is gone. `reason.code` says how: UNAVAILABLE (it closed or died), CANCELLED (we closed it), and so on. */
  peerDisconnected: (peer: Peer, reason: IpcError) => void;
  /**
   * A handler threw something other than an `IpcError`, of which its caller learns only UNKNOWN, or a handler of a
   * one-way call threw anything. `error.cause` is what was thrown. Without a listener it becomes a process warning.
   */
  handlerFailed: (error: IpcError, call: CallContext) => void;
  /** A peer broke the protocol, or never introduced itself. Its link is closed; others are not touched. */
  linkRejected: (reason: IpcError) => void;
}

/** Counts of an endpoint, all from 0. */
export interface Counters {
  /** Calls whose handlers were started, one-way ones among them. */
  callsHandled: number;
  /** Handlers that failed with something other than an `IpcError`. */
  handlersFailed: number;
  /** One-way calls that were not carried out well: an unknown method, a message that does not decode, a failure. */
  oneWayFailed: number;
  /** Links closed because the peer broke the protocol or never introduced itself. */
  linksRejected: number;
}

/** The publisher of a topic, such as `PublisherOf<typeof Market.quotes>`. */
export type PublisherOf<T> =
  T extends KeyedTopic<infer K, infer _KS, infer M, infer _MS>
    ? KeyedPublisher<K, M>
    : T extends UnkeyedTopic<infer _K, infer _KS, infer M, infer _MS>
      ? UnkeyedPublisher<M>
      : never;

/** One process's presence. Made by `open`; everything else hangs off it and ends with it. */
export interface Endpoint extends AsyncDisposable {
  /** The name, or "" for an anonymous endpoint. */
  readonly name: string;
  /** Where it listens, one address per transport, such as "unix:market"; empty for an anonymous endpoint. */
  readonly addresses: readonly string[];
  /** The limits that hold, with the defaults where `open` said nothing. */
  readonly limits: Limits;
  /** What has happened since `open`. */
  readonly counters: Readonly<Counters>;
  /** The peers connected at this moment. */
  readonly peers: readonly Peer[];

  /**
   * Serves a service to every peer. A method without a handler answers UNIMPLEMENTED. Throws `IpcError` ALREADY_EXISTS
   * if the service is served already, FAILED_PRECONDITION after `close`, and a `TypeError` for a handler that is no
   * function or has the name of no method.
   */
  serve<Client, Handlers extends object>(
    service: ServiceDefinition<Client, Handlers>,
    handlers: Partial<Handlers>,
    options?: ServeOptions,
  ): void;

  /**
   * A client of a service at `target`. Dials on the first call, and again after the link was lost; a client of a peer
   * uses its link and no other. Throws `IpcError` INVALID_ARGUMENT for an address that cannot be, a `TypeError` for a
   * peer that is none of this endpoint's.
   */
  client<Client, Handlers extends object>(
    service: ServiceDefinition<Client, Handlers>,
    target: Target,
    options?: ClientOptions,
  ): Client;

  /**
   * Publishes a topic from this endpoint. One publisher per topic and endpoint: rejects with `IpcError` ALREADY_EXISTS
   * where there is one, FAILED_PRECONDITION after `close`.
   */
  publisher<K, KS, M, MS>(topic: KeyedTopic<K, KS, M, MS>): Promise<KeyedPublisher<K, M>>;
  publisher<K, KS, M, MS>(topic: UnkeyedTopic<K, KS, M, MS>): Promise<UnkeyedPublisher<M>>;

  /**
   * Subscribes to a topic. The filter is a template: it matches keys that are equal in every field that it sets, so
   * that `{}` matches all. Dials if need be; that the publisher is not there is told by the subscription. Throws a
   * `TypeError` without `from`, `IpcError` INVALID_ARGUMENT for an address that cannot be.
   */
  subscribe<K, KS, M, MS>(
    topic: KeyedTopic<K, KS, M, MS>,
    filter: K,
    options: SubscribeOptions,
  ): Subscription<KS, MS>;
  subscribe<K, KS, M, MS>(
    topic: UnkeyedTopic<K, KS, M, MS>,
    options: SubscribeOptions,
  ): Subscription<undefined, MS>;

  /**
   * Dials now, and resolves with the peer when it has introduced itself. Calls to the same address share the link.
   * Rejects with `IpcError`: UNAVAILABLE where nobody is there, INVALID_ARGUMENT for an address that cannot be,
   * PERMISSION_DENIED, DEADLINE_EXCEEDED when the peer does not introduce itself, CANCELLED when `signal` aborts.
   */
  connect(target: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<Peer>;

  /** Listens to an event; the function returned stops that. */
  on<E extends keyof EndpointEvents>(event: E, listener: EndpointEvents[E]): () => void;

  /**
   * Drains and closes: no new calls are accepted, running ones finish within `drainTimeoutMs` (5,000 unless said in
   * `open`), then every link closes and the name is free. Idempotent.
   */
  close(): Promise<void>;
}
