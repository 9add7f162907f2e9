import type { CallContext } from "./call-context.js";
import type { ClientOptions, ServiceClient } from "./client-api.js";
import type { MessageView } from "./codec/inplace/view.js";
import type { MessageWriter, WriterType } from "./codec/inplace/writer.js";
import type { KeyedTopic, ServiceDefinition, UnkeyedTopic } from "./definition.js";
import type { IpcError } from "./error.js";
import type { Interceptor } from "./interceptor.js";
import type { Limits } from "./limits.js";
import type { Child, SpawnOptions } from "./children/child-api.js";
import type { FoundEndpoint } from "./names.js";
import type { Peer } from "./peer.js";
import type { BorrowedPublication, SubscribeOptions, Subscription, ViewOptions } from "./subscription-api.js";

export type {
  BlockingCall,
  BlockingCallOptions,
  BorrowingCall,
  ClientOptions,
  EachResponseCall,
  IsUnary,
  ServiceClient,
  StreamCalls,
  UnaryCalls,
} from "./client-api.js";
export type {
  BorrowedPublication,
  LatestValue,
  PlainKey,
  Publication,
  PublisherEvent,
  ReceiveOptions,
  SubscribeOptions,
  Subscription,
  SubscriptionReadyOptions,
  ViewOptions,
} from "./subscription-api.js";

/** Whom a client or subscription talks to: an address ("market", "unix:market", "memory:market") or a connected peer. */
export type Target = string | Peer;

/** How a service is served. */
export interface ServeOptions {
  /** Around every handler of this service, the first one outermost, inside those of the endpoint. */
  readonly interceptors?: readonly Interceptor[] | undefined;
  /**
   * Leaves the large `bytes` fields of single requests, from 16,384 bytes on, in the caller's memory until the handler has
   * answered: over shared memory they are not copied. Then they are empty, as they are when the link ends before. They are
   * read-only (writing to one ends the process), and the caller can change them at any time. False unless said, and without
   * effect on methods with many requests.
   */
  readonly borrow?: boolean | undefined;
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

/** How long `drained` of a publisher waits. */
export interface DrainedOptions {
  /** Ends the wait when it aborts: `drained` rejects with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  /** Rejects with DEADLINE_EXCEEDED after so many milliseconds. Without it `drained` waits for the slowest subscriber. */
  readonly timeoutMs?: number | undefined;
}

/** How long `publishWhenReady` waits. */
export interface PublishOptions {
  /** Bounds the wait for room in milliseconds, besides the topic's `block_timeout`. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait when it aborts: the publication is not made, and the promise rejects with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
}

/** The names of a message's fields of bytes. */
export type BytesFieldOf<Message> = Message extends unknown
  ? {
      [Name in keyof Message]-?: NonNullable<Message[Name]> extends Uint8Array ? Name : never;
    }[keyof Message] &
      string
  : never;

/** A message without one of its fields. */
export type WithoutField<Message, Field extends PropertyKey> = Message extends unknown
  ? Omit<Message, Field>
  : never;

/** Which field is lent, and how much room there is for the others. */
export interface FieldLoanOptions<Field extends string> {
  /** A singular field of bytes of the message itself, of no oneof. */
  readonly field: Field;
  /** How many bytes the other fields may take, encoded: a whole number from 0. 4,096 unless said. */
  readonly restBytes?: number | undefined;
}

interface LoanBase extends Disposable {
  /**
   * The room, its content undefined: memory that subscribers on this machine read where their links can do that. It is
   * taken away when the loan is published or released: then it is empty, and this throws `IpcError` FAILED_PRECONDITION.
   */
  readonly bytes: Uint8Array;
  /** Gives the room back unused. Does nothing after `publish`. Idempotent. */
  release(): void;
}

/** Room for one encoded message. Published once, or released; `using` does the latter at the end of the block. */
export interface Loan extends LoanBase {
  /**
   * Publishes the message whose encoding is in the first `usedBytes` of the room, as `publish` of the publisher. That it
   * is one is up to the caller: it is not decoded here. Throws as the publisher's, a `TypeError` for a number that cannot
   * be, FAILED_PRECONDITION when the loan is over; it is over after a publication, and not after an error.
   */
  publish(usedBytes: number): PublishResult;
  /** As `publish`, after waiting for room as `publishWhenReady` of the publisher does. */
  publishWhenReady(usedBytes: number, options?: PublishOptions): Promise<PublishResult>;
}

/** What publishing a lent field may be told. */
export interface FieldUse {
  /** How many bytes of the room are the field's content, from its beginning. All of them unless said. */
  readonly usedBytes?: number | undefined;
}

/** Room for the content of one field of a message. Published once, or released; `using` does the latter. */
export interface FieldLoan<Rest> extends LoanBase {
  /**
   * Publishes the message that has the room's content in the lent field, and `rest` in the others, as `publish` of the
   * publisher. Throws as that does; INVALID_ARGUMENT where `rest` sets the lent field too, RESOURCE_EXHAUSTED where it
   * takes more room than there is (`restBytes`), a `TypeError` for a number that cannot be, FAILED_PRECONDITION when the
   * loan is over; it is over after a publication, and not after an error.
   */
  publish(rest: Rest, options?: FieldUse): PublishResult;
  /** As `publish`, after waiting for room as `publishWhenReady` of the publisher does. */
  publishWhenReady(rest: Rest, options?: FieldUse & PublishOptions): Promise<PublishResult>;
}

/** The writers of a topic's messages. */
export type WriterOf<Message> = MessageWriter<Extract<Message, { readonly $typeName: string }>>;

/** With what a message is written. */
export interface WriterLoanOptions<Writer> {
  /** The class that the plugin generates with `in_place=true`: `QuoteWriter` for messages `Quote`. */
  readonly writer: WriterType<Writer>;
}

/** Room for one message that is written field by field. Published once, or released; `using` does the latter. */
export interface WriterLoan<Writer> extends Disposable {
  /**
   * Writes the message, each field at once into the room. What it reserves is the room's own memory and is taken away when
   * the loan is over: then arrays that were kept are empty, and setters throw `IpcError` FAILED_PRECONDITION.
   */
  readonly message: Writer;
  /**
   * Publishes what is written, as `publish` of the publisher, and sends no more than that. Throws as that does;
   * INVALID_ARGUMENT where a required field is not set, FAILED_PRECONDITION when the loan is over, and within a callback
   * that fills a message in; the loan is over after a publication, and not after an error.
   */
  publish(): PublishResult;
  /** As `publish`, after waiting for room as `publishWhenReady` of the publisher does. */
  publishWhenReady(options?: PublishOptions): Promise<PublishResult>;
  /** Gives the room back unused. Does nothing after `publish`. Idempotent. */
  release(): void;
}

interface PublisherBase extends AsyncDisposable {
  /** The subscribers at this moment. */
  readonly subscribers: number;
  /**
   * Resolves when so many are subscribed. What is published after that reaches each of them, or is counted as lost.
   * Rejects with `IpcError` DEADLINE_EXCEEDED, CANCELLED (also by `close`), or a `TypeError` for a number that cannot be.
   */
  ready(options: ReadyOptions): Promise<void>;
  /**
   * Resolves when nothing that was published waits for a subscriber any more: all of it is with the links, or was lost as
   * the topic's overflow rule says. The fastest way to publish as much as subscribers take is to call `publish` until its
   * result says that something is `queued`, and then to await this: one promise for many publications, where
   * `publishWhenReady` makes one for each. A subscriber that has left is not waited for; `close` ends no wait, as it sends
   * what is queued. Rejects with `IpcError` DEADLINE_EXCEEDED or CANCELLED as the options say, or a `TypeError` for what are
   * no options.
   */
  drained(options?: DrainedOptions): Promise<void>;
  /** Sends what is queued, then ends every subscription well. Loans that are not published are released. Idempotent. */
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
   * As `publish`, after waiting for room where the topic's overflow is "block"; with another it does not wait. There is none
   * where a queue is full, or has four times `windowBytes` in it.
   * Publications keep their order. A subscriber that has no room after `block_timeout` loses the message. Rejects as
   * `publish` throws, and with `IpcError` DEADLINE_EXCEEDED or CANCELLED as the options say: then nothing is published.
   */
  publishWhenReady(key: Key, message: Message, options?: PublishOptions): Promise<PublishResult>;
  /**
   * Lends room for a publication of so many encoded bytes, at most, in memory that subscribers can read: what is written
   * there is not copied on its way. With `field`, the room is for the content of that field alone; with `writer`, the
   * message is written by setters of its fields. Where no link can do that, the memory is like any other and all works the
   * same. Throws `IpcError` as `publish` does for the key and the size, FAILED_PRECONDITION after `close`, and a
   * `TypeError` for a number, a field or a class that cannot be.
   */
  loan(key: Key, maxBytes: number): Loan;
  loan<Writer extends WriterOf<Message>>(
    key: Key,
    maxBytes: number,
    options: WriterLoanOptions<Writer>,
  ): WriterLoan<Writer>;
  loan<Field extends BytesFieldOf<Message>>(
    key: Key,
    maxBytes: number,
    options: FieldLoanOptions<Field>,
  ): FieldLoan<WithoutField<Message, Field>>;
}

/** Publishes a topic without a key. */
export interface UnkeyedPublisher<Message> extends PublisherBase {
  /** As `KeyedPublisher.publish`. */
  publish(message: Message): PublishResult;
  /** As `KeyedPublisher.publishWhenReady`. */
  publishWhenReady(message: Message, options?: PublishOptions): Promise<PublishResult>;
  /** As `KeyedPublisher.loan`. */
  loan(maxBytes: number): Loan;
  loan<Writer extends WriterOf<Message>>(
    maxBytes: number,
    options: WriterLoanOptions<Writer>,
  ): WriterLoan<Writer>;
  loan<Field extends BytesFieldOf<Message>>(
    maxBytes: number,
    options: FieldLoanOptions<Field>,
  ): FieldLoan<WithoutField<Message, Field>>;
}

/** An endpoint of the domain has come, gone, or offers something else than before. */
export interface EndpointChange {
  readonly kind: "appeared" | "changed" | "gone";
  /** As it describes itself; where it is gone, as it did last. */
  readonly endpoint: FoundEndpoint;
}

/** The endpoints of the domain, first those that are there, then as they come and go. `break` ends it. */
export interface EndpointChanges extends AsyncIterable<EndpointChange>, AsyncDisposable {}

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
  /**
   * A peer broke the protocol, or says that this side did, or did not introduce itself within `handshakeTimeoutMs`. Its
   * link is closed; others are not touched. A peer that leaves before it has introduced itself is none of these.
   */
  linkRejected: (reason: IpcError) => void;
  /**
   * Something in the domain's directory cannot be used: a link, another user's file, an entry that makes no sense. It is
   * left as it is, and the others are found all the same. `name` is that of the file, or the domain's own where that
   * cannot be read or this endpoint cannot be announced, which is tried again and told once until it goes well. Raised
   * while the domain is looked at; without a listener, nothing.
   */
  endpointRefused: (name: string, reason: IpcError) => void;
}

/** Counts of an endpoint, all from 0. */
export interface Counters {
  /** Calls whose handlers were started, one-way ones among them. */
  callsHandled: number;
  /** Handlers that failed with something other than an `IpcError`. */
  handlersFailed: number;
  /** One-way calls that were not carried out well: an unknown method, a message that does not decode, a failure. */
  oneWayFailed: number;
  /** How often `linkRejected` was raised. */
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
  /**
   * Where it listens, one address per transport, such as "unix:market". Empty for an endpoint without a name until it
   * serves or publishes something; then it listens under a name that is made up.
   */
  readonly addresses: readonly string[];
  /** The limits that hold, with the defaults where `open` said nothing. */
  readonly limits: Limits;
  /** What has happened since `open`. */
  readonly counters: Readonly<Counters>;
  /** The peers connected at this moment. */
  readonly connectedPeers: readonly Peer[];

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
   * A client of a service at `target`, or at whoever in the domain serves it: then one that is linked already is taken, else
   * the one that has been there for the longest time. Dials on the first call, and again after the link was lost; a client
   * of a peer uses its link and no other. Unary methods can also block the thread (`client.price.sync(request)`) and read their
   * reply without copying it (`client.frame.borrow(request, read)`); those with many responses can call a function with each
   * (`client.ticks.forEach(request, use)`, and `borrow` without copying). Throws `IpcError` INVALID_ARGUMENT for an address that cannot be, a `TypeError` for a peer that is none of this endpoint's.
   */
  client<Client, Handlers extends object>(
    service: ServiceDefinition<Client, Handlers>,
    target?: Target | undefined,
    options?: ClientOptions,
  ): ServiceClient<Client>;

  /**
   * Publishes a topic from this endpoint. One publisher per topic and endpoint: rejects with `IpcError` ALREADY_EXISTS
   * where there is one, FAILED_PRECONDITION after `close`.
   */
  publisher<K, KS, M, MS>(topic: KeyedTopic<K, KS, M, MS>): Promise<KeyedPublisher<K, M>>;
  publisher<K, KS, M, MS>(topic: UnkeyedTopic<K, KS, M, MS>): Promise<UnkeyedPublisher<M>>;

  /**
   * Subscribes to a topic: at one publisher with `from`, else at all that there are and will be in the domain, this
   * endpoint's own among them. The filter is a template: it matches keys that are equal in every field that it sets, so
   * that `{}` matches all. That a publisher is not there is told by the subscription. Throws `IpcError` INVALID_ARGUMENT
   * for an address that cannot be, a `TypeError` for an option that cannot be.
   */
  subscribe<K, KS, M, MS, V extends MessageView<MS>>(
    topic: KeyedTopic<K, KS, M, MS>,
    filter: K,
    options: ViewOptions<KS, V> & { readonly borrow: true },
  ): Subscription<KS, V, BorrowedPublication<KS, V>>;
  subscribe<K, KS, M, MS, V extends MessageView<MS>>(
    topic: UnkeyedTopic<K, KS, M, MS>,
    options: ViewOptions<undefined, V> & { readonly borrow: true },
  ): Subscription<undefined, V, BorrowedPublication<undefined, V>>;
  subscribe<K, KS, M, MS, V extends MessageView<MS>>(
    topic: KeyedTopic<K, KS, M, MS>,
    filter: K,
    options: ViewOptions<KS, V>,
  ): Subscription<KS, V>;
  subscribe<K, KS, M, MS, V extends MessageView<MS>>(
    topic: UnkeyedTopic<K, KS, M, MS>,
    options: ViewOptions<undefined, V>,
  ): Subscription<undefined, V>;
  subscribe<K, KS, M, MS>(
    topic: KeyedTopic<K, KS, M, MS>,
    filter: K,
    options: SubscribeOptions<KS, MS> & { readonly borrow: true },
  ): Subscription<KS, MS, BorrowedPublication<KS, MS>>;
  subscribe<K, KS, M, MS>(
    topic: UnkeyedTopic<K, KS, M, MS>,
    options: SubscribeOptions<undefined, MS> & { readonly borrow: true },
  ): Subscription<undefined, MS, BorrowedPublication<undefined, MS>>;
  subscribe<K, KS, M, MS>(
    topic: KeyedTopic<K, KS, M, MS>,
    filter: K,
    options?: SubscribeOptions<KS, MS>,
  ): Subscription<KS, MS>;
  subscribe<K, KS, M, MS>(
    topic: UnkeyedTopic<K, KS, M, MS>,
    options?: SubscribeOptions<undefined, MS>,
  ): Subscription<undefined, MS>;

  /**
   * Starts a program that is connected to this endpoint from its first moment, in any language: a plugin, a helper. A script
   * that ends in .js, .mjs or .cjs is run by this Node. Resolves when it has introduced itself. Rejects with `IpcError`:
   * NOT_FOUND or PERMISSION_DENIED where the program cannot be started, UNAVAILABLE, with its exit code and last words, where
   * it ends before that, DEADLINE_EXCEEDED after `connectTimeoutMs`, CANCELLED when `signal` aborts; a `TypeError` for an
   * option that cannot be. It ends with this endpoint.
   */
  spawn(command: string, options?: SpawnOptions): Promise<Child>;

  /** The process that started this one, where the endpoint was opened with `parent`. */
  readonly parent: Peer | undefined;

  /**
   * Dials now, and resolves with the peer when it has introduced itself. Calls to the same address share the link.
   * Rejects with `IpcError`: UNAVAILABLE where nobody is there, INVALID_ARGUMENT for an address that cannot be,
   * PERMISSION_DENIED, DEADLINE_EXCEEDED when the peer does not introduce itself, CANCELLED when `signal` aborts.
   */
  connect(target: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<Peer>;

  /**
   * The other endpoints of the domain: who is there, over what it is reached, what it serves and publishes. Those without
   * a name are found when they serve or publish something. Looks anew each time; removes what dead endpoints have left.
   */
  peers(): Promise<readonly FoundEndpoint[]>;

  /**
   * Tells of the other endpoints of the domain, first of those that are there, then as they come, change and go: within
   * moments, also when a process is killed. The process goes on running until the loop ends: by `break`, by `signal` (it
   * then throws CANCELLED), or when this endpoint closes.
   */
  watch(options?: { readonly signal?: AbortSignal | undefined }): EndpointChanges;

  /** Listens to an event; the function returned stops that. */
  on<E extends keyof EndpointEvents>(event: E, listener: EndpointEvents[E]): () => void;

  /**
   * Drains and closes: no new calls are accepted, running ones finish within `drainTimeoutMs` (5,000 unless said in
   * `open`), then every link closes and the name is free. Idempotent.
   */
  close(): Promise<void>;
}
