import type { Link, LinkLimits, Transport } from "../transports/transport.js";
import { parseAddress } from "./address.js";
import type {
  ServiceClient,
  ClientOptions,
  Counters,
  Endpoint,
  EndpointEvents,
  ServeOptions,
  Target,
} from "./api.js";
import { backOffRules } from "./back-off.js";
import type { CallContext } from "./call-context.js";
import type { Child, SpawnOptions } from "./children/child-api.js";
import { Family } from "./children/family.js";
import type { Spawner } from "./children/spawner.js";
import { type Channel, makeClient, within } from "./client.js";
import { Connection, type ConnectionOwner } from "./connection.js";
import { type AnyMethod, type AnyTopic, isTopic, type ServiceDefinition } from "./definition.js";
import { Dialled } from "./dialled.js";
import { dial } from "./dialler.js";
import { Emitter } from "./emitter.js";
import { RegistryChanges } from "./endpoint-changes.js";
import { type BuiltInService, viewOf } from "./endpoint-view.js";
import { IpcError } from "./error.js";
import type { Host } from "./host.js";
import type { Interceptor } from "./interceptor.js";
import type { Limits } from "./limits.js";
import { Listening } from "./listening.js";
import type { FoundEndpoint, Names } from "./names.js";
import { checkOpenOptions, limitsOf, type OpenOptions } from "./open-options.js";
import type { Peer } from "./peer.js";
import type { CallObserver } from "./server-call.js";
import { Registry } from "./registry.js";
import { serviceChannel } from "./service-channel.js";
import { checkDefinition, Services } from "./services.js";
import { withMaybeExecuted } from "./session/status.js";
import type { Stream } from "./session/stream.js";
import type { StreamReceiver } from "./session/stream-receiver.js";
import { TopicPublisher } from "./topic/publisher.js";
import { publisherApi } from "./topic/publisher-api.js";
import type { KeyIdentity } from "./topic/topic-key.js";
import { type AnySubscribeOptions, TopicSubscription } from "./topic/subscription.js";
import { fromTransportError } from "./transport-errors.js";
import type { WireMetadata } from "./wire/metadata.js";

/** What an endpoint is made of besides its options. */
export interface Surroundings {
  readonly host: Host;
  /** In order of preference. */
  readonly transports: readonly Transport[];
  /** The transports that this process lacks, by name, and in one sentence why. */
  readonly missing?: Readonly<Record<string, string>> | undefined;
  readonly names: Names;
  /** Services that every endpoint has, unless its options say otherwise. */
  readonly builtIn?: readonly BuiltInService[] | undefined;
  /** How processes are started; absent where they cannot be. */
  readonly spawner?: Spawner | undefined;
}

const DEFAULT_DRAIN_TIMEOUT_MS = 5_000;

/** Opens an endpoint. Rejects with `IpcError`, having left nothing behind; throws a `TypeError` for a wrong option. */
export async function openEndpoint(options: OpenOptions, surroundings: Surroundings): Promise<Endpoint> {
  checkOpenOptions(options);
  const endpoint = new OpenEndpoint(options, surroundings);
  try {
    await endpoint.listen(options);
  } catch (error) {
    await endpoint.close();
    throw fromTransportError(error);
  }
  return endpoint;
}

class OpenEndpoint implements Endpoint, ConnectionOwner {
  readonly host: Host;
  readonly limits: Limits;
  readonly incarnation: Uint8Array;
  readonly counters: Counters = { callsHandled: 0, handlersFailed: 0, oneWayFailed: 0, linksRejected: 0 };
  readonly #surroundings: Surroundings;
  readonly #drainTimeoutMs: number;
  readonly #clientInterceptors: readonly Interceptor[];
  readonly #serverInterceptors: readonly Interceptor[];
  readonly #events: Emitter<EndpointEvents>;
  readonly #services = new Services(() => void this.#listening.announce());
  readonly #publishers = new Set<TopicPublisher>();
  /** The last numbers of the topics that were published, by their full names. */
  readonly #numbers = new Map<string, Map<KeyIdentity, number>>();
  readonly #subscriptions = new Set<TopicSubscription>();
  readonly #connections = new Set<Connection>();
  readonly #byPeer = new WeakMap<Peer, Connection>();
  readonly #dialled = new Dialled((address) => this.#dial(address));
  readonly #linkLimits: LinkLimits;
  readonly #observer: CallObserver;
  readonly #listening: Listening;
  readonly #family: Family;
  /** Links that came before `open` has resolved. */
  #early: Link[] | undefined = [];
  readonly #registry: Registry | undefined;
  readonly #changes = new Set<RegistryChanges>();
  #handshakes = 0;
  #accepted = 0;
  #closing: Promise<void> | undefined;

  constructor(options: OpenOptions, surroundings: Surroundings) {
    const { host } = surroundings;
    this.host = host;
    this.limits = limitsOf(options.limits);
    this.incarnation = host.randomBytes(16);
    this.#surroundings = surroundings;
    this.#drainTimeoutMs = options.drainTimeoutMs ?? DEFAULT_DRAIN_TIMEOUT_MS;
    this.#clientInterceptors = options.clientInterceptors ?? [];
    this.#serverInterceptors = options.serverInterceptors ?? [];
    this.#events = new Emitter((error) => host.warn(error));
    const { discovery } = surroundings.names;
    this.#registry =
      discovery === undefined
        ? undefined
        : new Registry(discovery, (name, reason) => {
            this.#events.emit("endpointRefused", name, fromTransportError(reason));
          });
    const { maxMessageBytes, maxHeaderBytes, frameTimeoutMs, sendBufferBytes } = this.limits;
    this.#linkLimits = { maxRecordBytes: maxMessageBytes + maxHeaderBytes, frameTimeoutMs, sendBufferBytes };
    this.#family = new Family({
      host,
      spawner: surroundings.spawner,
      limits: this.#linkLimits,
      clientInterceptors: this.#clientInterceptors,
      adopt: (link, side, handshakeTimeoutMs) =>
        this.#begin(link, side, "the process was started with it", handshakeTimeoutMs),
      closeEndpoint: () => this.close(),
    });
    this.#listening = new Listening({
      ...surroundings,
      limits: this.#linkLimits,
      incarnation: hex(this.incarnation),
      isDiscoverable: options.discoverable ?? true,
      onLink: (link) => this.#onLink(link),
      offered: () => this.#services.offered,
      onNotAnnounced: (error) => this.#onNotAnnounced(error),
    });
    if (options.inspect !== false) {
      const view = viewOf({
        host,
        limits: this.limits,
        incarnation: hex(this.incarnation),
        listening: this.#listening,
        services: this.#services,
        publishers: this.#publishers,
        connections: this.#connections,
      });
      for (const { definition, handlersOf } of surroundings.builtIn ?? []) {
        this.#services.addBuiltIn(definition, handlersOf(view));
      }
    }
    this.#observer = {
      onStarted: () => {
        this.counters.callsHandled++;
      },
      onFailed: (error, call, isUnexpected) => this.#onHandlerFailed(error, call, isUnexpected),
      onOneWayNotServed: () => {
        this.counters.oneWayFailed++;
      },
    };
  }

  get name(): string {
    return this.#listening.name;
  }

  get addresses(): readonly string[] {
    return this.#listening.addresses;
  }

  get connectedPeers(): readonly Peer[] {
    return [...this.#connections].flatMap(({ peer }) => peer ?? []);
  }

  async peers(): Promise<readonly FoundEndpoint[]> {
    this.#checkOpen();
    const own = hex(this.incarnation);
    const found = (await this.#registry?.snapshot()) ?? [];
    return found.filter(({ incarnation }) => incarnation !== own);
  }

  watch({ signal }: { readonly signal?: AbortSignal | undefined } = {}): RegistryChanges {
    this.#checkOpen();
    if (this.#registry === undefined) {
      throw new IpcError("UNIMPLEMENTED", "endpoints cannot be found here: there is no directory of names");
    }
    const changes: RegistryChanges = new RegistryChanges(
      this.#registry,
      hex(this.incarnation),
      signal,
      () => {
        this.#changes.delete(changes);
      },
    );
    if (signal?.aborted !== true) this.#changes.add(changes);
    return changes;
  }

  /**
   * Takes the name and begins to accept. Whoever connects meanwhile waits for the end of the turn in which `open` has
   * resolved: what it asks for is served by then.
   */
  async listen(options: OpenOptions): Promise<void> {
    await this.#listening.listen(options);
    if (options.parent !== undefined && options.parent !== false)
      await this.#family.joinParent(options.parent);
    this.host.atEndOfTurn(() => {
      const links = this.#early ?? [];
      this.#early = undefined;
      for (const link of links) this.#onLink(link);
      this.#family.begin();
    });
  }

  serve<Client, Handlers extends object>(
    service: ServiceDefinition<Client, Handlers>,
    handlers: Partial<Handlers>,
    options: ServeOptions = {},
  ): void {
    this.#checkOpen();
    const interceptors = [...this.#serverInterceptors, ...(options.interceptors ?? [])];
    this.#services.addService(service, handlers, interceptors, options.borrow);
  }

  client<Client, Handlers extends object>(
    service: ServiceDefinition<Client, Handlers>,
    target?: Target,
    options: ClientOptions = {},
  ): ServiceClient<Client> {
    const channel =
      target === undefined ? this.#serviceChannel(checkDefinition(service).$typeName) : this.#channel(target);
    if (typeof target === "object" && backOffRules(options.reconnect) !== undefined) {
      throw new TypeError("a client of a peer cannot reconnect: it uses the peer's link and no other");
    }
    const client = makeClient(service, channel, options, this.#clientInterceptors);
    return client as ServiceClient<Client>;
  }

  // The overloads of `Endpoint.publisher` tell the two kinds apart; what is made is the same.
  async publisher(topic: AnyTopic): Promise<never> {
    this.#checkOpen();
    checkTopic(topic);
    const { fullName: name } = topic;
    const numbers = this.#numbers.get(name) ?? new Map<KeyIdentity, number>();
    this.#numbers.set(name, numbers);
    const publisher: TopicPublisher = new TopicPublisher(topic, {
      numbers,
      host: this.host,
      limits: this.limits,
      drainTimeoutMs: this.#drainTimeoutMs,
      blocks: this.#surroundings.transports.find(({ blocks }) => blocks !== undefined)?.blocks,
      onClosed: (fullName) => {
        this.#services.removeTopic(fullName);
        this.#publishers.delete(publisher);
      },
    });
    this.#services.addTopic(topic, publisher);
    this.#publishers.add(publisher);
    await this.#listening.announce();
    return publisherApi(topic, publisher) as never;
  }

  subscribe(topic: AnyTopic, first: unknown, second?: AnySubscribeOptions): never {
    this.#checkOpen();
    checkTopic(topic);
    const options = (topic.kind === "topic" ? second : first) as AnySubscribeOptions | undefined;
    const filter = topic.kind === "topic" ? first : {};
    const subscription: TopicSubscription = new TopicSubscription(topic, filter, options ?? {}, {
      host: this.host,
      channel: (target) => this.#channel(target),
      registry: this.#registry,
      onDone: () => this.#subscriptions.delete(subscription),
    });
    this.#subscriptions.add(subscription);
    subscription.begin();
    return subscription as never;
  }

  get parent(): Peer | undefined {
    return this.#family.parent;
  }

  async spawn(command: string, options: SpawnOptions = {}): Promise<Child> {
    this.#checkOpen();
    return this.#family.spawn(command, options);
  }

  async connect(target: string, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<Peer> {
    const signals = options.signal === undefined ? [] : [options.signal];
    const bounds = { deadlineMs: Number.POSITIVE_INFINITY, signals };
    return (await within(this.host, bounds, this.#connectTo(target))).peer!;
  }

  on<E extends keyof EndpointEvents>(event: E, listener: EndpointEvents[E]): () => void {
    return this.#events.on(event, listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  accept(
    connection: Connection,
    stream: Stream,
    method: string,
    metadata: readonly WireMetadata[],
  ): StreamReceiver | undefined {
    return this.#services.accept(connection, stream, method, metadata, this.#observer);
  }

  onPeer(connection: Connection): void {
    this.#byPeer.set(connection.peer!, connection);
    this.#events.emit("peerConnected", connection.peer!);
  }

  onUnusable(connection: Connection): void {
    this.#dialled.forget(connection);
  }

  onClosed(connection: Connection, reason: IpcError): void {
    this.#connections.delete(connection);
    this.onUnusable(connection);
    const isProtocolError = reason.code === "INTERNAL" || reason.code === "FAILED_PRECONDITION";
    if (isProtocolError || (connection.peer === undefined && reason.code === "DEADLINE_EXCEEDED")) {
      this.counters.linksRejected++;
      this.#events.emit("linkRejected", reason);
    }
    if (connection.peer !== undefined) this.#events.emit("peerDisconnected", connection.peer, reason);
  }

  #onLink(link: Link): void {
    if (this.#early !== undefined) {
      if (this.#early.length < this.limits.maxHandshakes) this.#early.push(link);
      else link.close();
      return;
    }
    const { maxHandshakes, maxLinks } = this.limits;
    const connection = this.#begin(link, "acceptor", "the peer chose it");
    this.#accepted++;
    this.#handshakes++;
    void connection.ready
      .then(
        () => undefined,
        () => undefined,
      )
      .then(() => this.#handshakes--);
    void connection.closed.then(() => this.#accepted--);
    if (this.#handshakes > maxHandshakes) {
      const text = `this endpoint has ${maxHandshakes} links that are not introduced yet, the limit (maxHandshakes)`;
      connection.session.close(new IpcError("RESOURCE_EXHAUSTED", text));
    } else if (this.#accepted > maxLinks) {
      const text = `this endpoint has ${maxLinks} links, the limit (maxLinks)`;
      connection.session.close(new IpcError("RESOURCE_EXHAUSTED", text));
    } else if (this.#closing !== undefined) {
      connection.session.close(new IpcError("UNAVAILABLE", "this endpoint is closing"));
    }
  }

  #begin(link: Link, side: "dialler" | "acceptor", reason: string, handshakeTimeoutMs?: number): Connection {
    const connection = new Connection(this, link, side, reason, handshakeTimeoutMs);
    this.#connections.add(connection);
    connection.start();
    return connection;
  }

  #channel(target: Target): Channel {
    const { host } = this;
    if (typeof target === "string") {
      parseAddress(target);
      return {
        host,
        target,
        isOver: () => this.#closing !== undefined,
        current: () => this.#dialled.usable(target),
        connect: (bounds) => within(host, bounds, this.#connectTo(target)),
      };
    }
    const connection = this.#byPeer.get(target);
    if (connection === undefined)
      throw new TypeError("the target is neither an address nor a peer of this endpoint");
    return {
      host,
      target: target.name,
      isOver: () => this.#closing !== undefined,
      current: () => connection,
      connect: () => Promise.resolve(connection),
    };
  }

  #serviceChannel(service: string): Channel {
    const registry = this.#registry;
    if (registry === undefined)
      throw new TypeError(`client of ${service} without a target, where endpoints are not found`);
    return serviceChannel({
      host: this.host,
      registry,
      domain: this.#surroundings.names.domain,
      incarnation: hex(this.incarnation),
      service,
      isOver: () => this.#closing !== undefined,
      current: (address) => this.#dialled.usable(address),
      connect: (address) => this.#connectTo(address),
    });
  }

  #connectTo(address: string): Promise<Connection> {
    if (this.#closing === undefined) return this.#dialled.connect(address);
    return Promise.reject(new IpcError("UNAVAILABLE", "this endpoint is closing"));
  }

  async #dial(address: string): Promise<Connection> {
    const { link, reason } = await dial({ ...this.#surroundings, limits: this.#linkLimits }, address);
    const connection = this.#begin(link, "dialler", reason);
    if (this.#closing !== undefined)
      connection.session.close(new IpcError("UNAVAILABLE", "this endpoint is closing"));
    await connection.ready;
    // A peer that has no room for another link introduces itself, and says so at once.
    const { closedBy } = connection.session;
    if (closedBy !== undefined) throw withMaybeExecuted(closedBy, false);
    return connection;
  }

  #onHandlerFailed(error: IpcError, call: CallContext, isUnexpected: boolean): void {
    if (isUnexpected) this.counters.handlersFailed++;
    if (call.method.kind === "oneWay") this.counters.oneWayFailed++;
    if (!this.#events.emit("handlerFailed", error, call)) this.host.warn(error);
  }

  #onNotAnnounced(error: unknown): void {
    const { code, rawMessage } = fromTransportError(error);
    const reason = new IpcError(code, `others cannot find this endpoint: ${rawMessage}`, { cause: error });
    if (!this.#events.emit("endpointRefused", this.#surroundings.names.domain, reason))
      this.host.warn(reason);
  }

  async #close(): Promise<void> {
    for (const changes of this.#changes) changes.end("well");
    const familyEnded = this.#family.close();
    // Nobody new comes in; what has begun is finished; then the name is free.
    await this.#listening.stop();
    // Those that still come are told that it closes.
    for (const link of this.#early ?? []) link.close();
    this.#early = undefined;
    const connections = [...this.#connections];
    // Refused from now on, and not only when every subscriber has read what waits for it.
    for (const { session } of connections) session.drain();
    const allDrained = Promise.all([
      ...[...this.#subscriptions].map((subscription) => subscription.close()),
      ...[...this.#publishers].map((publisher) => publisher.close()),
      ...connections.map(({ drained }) => drained),
    ]);
    let cancelTimer: (() => void) | undefined;
    const timedOut = new Promise<void>((resolve) => {
      cancelTimer = this.host.setTimer(resolve, this.#drainTimeoutMs);
    });
    await Promise.race([allDrained, timedOut]);
    cancelTimer?.();
    const theirReason = new IpcError("UNAVAILABLE", "the peer closed its endpoint");
    const ownReason = new IpcError("CANCELLED", "this endpoint was closed");
    for (const { session } of connections) session.close(theirReason, ownReason);
    await Promise.all(connections.map(({ closed }) => closed));
    await familyEnded;
    this.#registry?.stop();
    await this.#listening.release();
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new IpcError("FAILED_PRECONDITION", "this endpoint is closed");
  }
}

/** Throws a `TypeError` for what is no topic. */
function checkTopic(topic: AnyTopic): void {
  const given: AnyMethod | AnyTopic | undefined = topic;
  if (typeof given !== "object" || given === null)
    throw new TypeError("the topic is not of a service definition");
  if (!isTopic(given)) throw new TypeError(`${(topic as AnyTopic).fullName} is a method, not a topic`);
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
