import type { CallContext } from "./call-context.js";
import type { Connection } from "./connection.js";
import { type AnyMethod, type AnyTopic, isTopic, type ServiceDefinition } from "./definition.js";
import type { ServedView } from "./endpoint-view.js";
import { IpcError } from "./error.js";
import {
  applyInterceptors,
  type InterceptedCall,
  type InterceptedRequest,
  type InterceptedResponse,
  type Interceptor,
} from "./interceptor.js";
import {
  type AnyHandler,
  type CallObserver,
  hasManyRequests,
  hasManyResponses,
  ServerCall,
} from "./server-call.js";
import type { Offer, OfferedItem } from "./names.js";
import { NO_METADATA, type Stream } from "./session/stream.js";
import type { StreamReceiver } from "./session/stream-receiver.js";
import type { WireMetadata } from "./wire/metadata.js";

/** Something that can be called by its full name. */
export interface Served {
  /** Whether a call that is not answered makes sense. */
  readonly mayBeOneWay: boolean;
  accept(
    connection: Connection,
    stream: Stream,
    metadata: readonly WireMetadata[],
    observer: CallObserver,
  ): StreamReceiver | undefined;
}

/** The methods and topics that an endpoint serves, by their full names. */
export class Services {
  readonly #served = new Map<string, Served>();
  readonly #services = new Map<string, ServedView>();
  /** Those that come with the endpoint, and are not offered. */
  readonly #builtIn = new Set<string>();
  readonly #topics = new Set<string>();
  /** The topics that have a publisher, by their full names. */
  readonly #published = new Map<string, AnyTopic>();
  readonly #onChange: () => void;

  /** `onChange` is called when what others may use has changed. */
  constructor(onChange: () => void = () => undefined) {
    this.#onChange = onChange;
  }

  /** What others may use. */
  get offered(): Pick<Offer, "services" | "topics"> {
    const byName = (a: OfferedItem, b: OfferedItem): number => (a.name < b.name ? -1 : 1);
    const services = this.views.map(({ definition: { $typeName, $schema } }) => ({
      name: $typeName,
      fingerprint: $schema?.fingerprint ?? "",
    }));
    const topics = [...this.#published.values()].map(({ fullName, fingerprint = "" }) => ({
      name: fullName,
      fingerprint,
    }));
    return { services: services.sort(byName), topics: topics.sort(byName) };
  }

  /** The services that are offered. */
  get views(): readonly ServedView[] {
    const views = [...this.#services].filter(([name]) => !this.#builtIn.has(name));
    return views.map(([, view]) => view);
  }

  /** Adds a service that comes with the endpoint. */
  addBuiltIn(service: ServiceDefinition<unknown, unknown>, handlers: object): void {
    this.#builtIn.add(service.$typeName);
    this.#add(service, handlers, [], false);
  }

  /** Adds the handlers of a service. Throws `IpcError` ALREADY_EXISTS, or a `TypeError` for what is no handler. */
  addService(
    service: ServiceDefinition<unknown, unknown>,
    handlers: object,
    interceptors: readonly Interceptor[],
    borrows = false,
  ): void {
    this.#add(service, handlers, interceptors, borrows);
    this.#onChange();
  }

  #add(
    service: ServiceDefinition<unknown, unknown>,
    handlers: object,
    interceptors: readonly Interceptor[],
    borrows: boolean,
  ): void {
    const { $typeName, $methods } = checkDefinition(service);
    if (typeof handlers !== "object" || handlers === null) {
      throw new TypeError(
        `the handlers of ${$typeName} are ${handlers === null ? "null" : typeof handlers}, not an object`,
      );
    }
    if (this.#services.has($typeName)) {
      throw new IpcError("ALREADY_EXISTS", `${$typeName} is already served by this endpoint`);
    }
    const added = new Map<string, Served>();
    const known = new Set<string>();
    for (const method of $methods) {
      if (isTopic(method)) {
        if (!Object.hasOwn(handlers, method.localName)) continue;
        const { localName } = method;
        throw new TypeError(`${localName} is a topic of ${$typeName}: publish it with endpoint.publisher`);
      }
      known.add(method.localName);
      const handler: unknown = Reflect.get(handlers, method.localName);
      if (handler === undefined) continue;
      if (typeof handler !== "function") {
        throw new TypeError(`the handler ${method.localName} of ${$typeName} is not a function`);
      }
      const bound: AnyHandler = (request, call) => Reflect.apply(handler, handlers, [request, call]);
      const wrapped = interceptors.length === 0 ? bound : intercept(method, bound, interceptors);
      added.set(method.fullName, {
        mayBeOneWay: !hasManyRequests(method) && !hasManyResponses(method),
        accept: (connection, stream, metadata, observer) =>
          new ServerCall(connection, stream, method, wrapped, metadata, observer, borrows),
      });
    }
    for (const [name, value] of Object.entries(handlers)) {
      // What is no function may be the state of an object whose methods are the handlers.
      if (!known.has(name) && typeof value === "function")
        throw new TypeError(`${$typeName} has no method ${JSON.stringify(name)}`);
    }
    const called = $methods.filter((method) => !isTopic(method) && added.has(method.fullName));
    this.#services.set($typeName, { definition: service, methods: called as AnyMethod[] });
    for (const method of $methods) if (isTopic(method)) this.#topics.add(method.fullName);
    for (const [name, served] of added) this.#served.set(name, served);
  }

  /** Adds a topic's publisher. Throws `IpcError` ALREADY_EXISTS. */
  addTopic(topic: AnyTopic, served: Served): void {
    const { fullName } = topic;
    if (this.#served.has(fullName)) {
      throw new IpcError("ALREADY_EXISTS", `${fullName} already has a publisher on this endpoint`);
    }
    this.#served.set(fullName, served);
    this.#published.set(fullName, topic);
    this.#onChange();
  }

  removeTopic(fullName: string): void {
    this.#served.delete(fullName);
    this.#published.delete(fullName);
    this.#onChange();
  }

  /** As `SessionHandler.onOpen`. */
  accept(
    connection: Connection,
    stream: Stream,
    method: string,
    metadata: readonly WireMetadata[],
    observer: CallObserver,
  ): StreamReceiver | undefined {
    const served = this.#served.get(method);
    if (served !== undefined && (served.mayBeOneWay || !stream.isOneWay)) {
      return served.accept(connection, stream, metadata, observer);
    }
    if (stream.isOneWay) observer.onOneWayNotServed();
    const error = new IpcError("UNIMPLEMENTED", `${method}: ${this.#missing(method)}`);
    stream.finish(error, undefined, NO_METADATA, false);
    return undefined;
  }

  #missing(method: string): string {
    if (this.#topics.has(method)) return "the topic has no publisher here";
    const service = method.slice(0, method.lastIndexOf("/"));
    return this.#services.has(service) ? "no handler for the method" : "no such service or topic here";
  }
}

/** Returns the definition. Throws a `TypeError` for what is none. */
export function checkDefinition<Client, Handlers>(
  service: ServiceDefinition<Client, Handlers>,
): ServiceDefinition<Client, Handlers> {
  const given: unknown = service;
  if (typeof given === "object" && given !== null && "$methods" in given) return service;
  throw new TypeError("the service is no definition that protoc-gen-protoipc generated");
}

/** The handler's context with what interceptors have put in its place. */
function changedCall(call: CallContext, request: InterceptedRequest): CallContext {
  const { metadata } = request;
  const signal = request.signal ?? call.signal;
  if (metadata === call.metadata && signal === call.signal) return call;
  return {
    method: call.method,
    peer: call.peer,
    deadline: call.deadline,
    timeoutMs: () => call.timeoutMs(),
    sendHeader: () => call.sendHeader(),
    header: call.header,
    trailer: call.trailer,
    metadata,
    signal,
  };
}

/** The handler with interceptors around it, as one handler. */
function intercept(method: AnyMethod, handler: AnyHandler, interceptors: readonly Interceptor[]): AnyHandler {
  const manyResponses = hasManyResponses(method);
  const manyRequests = hasManyRequests(method);
  const innermost: InterceptedCall = async (request): Promise<InterceptedResponse> => {
    const { call } = request;
    if (call === undefined) throw new TypeError("an interceptor handed on a request without its call");
    const input = request.messages.kind === "one" ? request.messages.message : request.messages.stream;
    const output = await handler(input, changedCall(call, request));
    const { header, trailer } = call;
    if (!manyResponses) return { header, trailer, messages: { kind: "one", message: output } };
    return { header, trailer, messages: { kind: "many", stream: output as AsyncIterable<unknown> } };
  };
  const chain = applyInterceptors(interceptors, innermost);
  return async (input: unknown, call: CallContext): Promise<unknown> => {
    const response = await chain({
      side: "server",
      method,
      metadata: call.metadata,
      signal: call.signal,
      timeoutMs: call.timeoutMs(),
      call,
      messages: manyRequests
        ? { kind: "many", stream: input as AsyncIterable<unknown> }
        : { kind: "one", message: input },
    });
    return response.messages.kind === "one" ? response.messages.message : response.messages.stream;
  };
}
