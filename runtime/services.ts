import type { CallContext } from "./call-context.js";
import type { Connection } from "./connection.js";
import type { AnyMethod, ServiceDefinition } from "./definition.js";
import { IpcError } from "./error.js";
import {
  applyInterceptors,
  type InterceptedCall,
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
import { NO_METADATA, type Stream } from "./session/stream.js";
import type { StreamReceiver } from "./session/stream-receiver.js";
import type { WireMetadata } from "./wire/metadata.js";

/** Something that can be called by its full name. */
export interface Served {
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
  readonly #typeNames = new Set<string>();

  /** Adds the handlers of a service. Throws `IpcError` ALREADY_EXISTS, or a `TypeError` for what is no handler. */
  addService(
    service: ServiceDefinition<unknown, unknown>,
    handlers: object,
    interceptors: readonly Interceptor[],
  ): void {
    const { $typeName, $methods } = service;
    if (this.#typeNames.has($typeName)) {
      throw new IpcError("ALREADY_EXISTS", `${$typeName} is already served by this endpoint`);
    }
    const added = new Map<string, Served>();
    const known = new Set<string>();
    for (const method of $methods) {
      if (method.kind === "topic" || method.kind === "unkeyedTopic") continue;
      known.add(method.localName);
      const handler: unknown = Reflect.get(handlers, method.localName);
      if (handler === undefined) continue;
      if (typeof handler !== "function") {
        throw new TypeError(`the handler ${method.localName} of ${$typeName} is not a function`);
      }
      const bound: AnyHandler = (request, call) => Reflect.apply(handler, handlers, [request, call]);
      const wrapped = interceptors.length === 0 ? bound : intercept(method, bound, interceptors);
      added.set(method.fullName, {
        accept: (connection, stream, metadata, observer) =>
          new ServerCall(connection, stream, method, wrapped, metadata, observer),
      });
    }
    for (const [name, value] of Object.entries(handlers)) {
      // What is no function may be the state of an object whose methods are the handlers.
      if (!known.has(name) && typeof value === "function")
        throw new TypeError(`${$typeName} has no method ${JSON.stringify(name)}`);
    }
    this.#typeNames.add($typeName);
    for (const [name, served] of added) this.#served.set(name, served);
  }

  /** Adds a topic's publisher. Throws `IpcError` ALREADY_EXISTS. */
  addTopic(fullName: string, served: Served): void {
    if (this.#served.has(fullName)) {
      throw new IpcError("ALREADY_EXISTS", `${fullName} already has a publisher on this endpoint`);
    }
    this.#served.set(fullName, served);
  }

  remove(fullName: string): void {
    this.#served.delete(fullName);
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
    if (served !== undefined) return served.accept(connection, stream, metadata, observer);
    if (stream.isOneWay) observer.onOneWayNotServed();
    const service = method.slice(0, method.lastIndexOf("/"));
    const what = this.#typeNames.has(service) ? "no handler for the method" : "no such service or topic here";
    stream.finish(new IpcError("UNIMPLEMENTED", `${method}: ${what}`), undefined, NO_METADATA, false);
    return undefined;
  }
}

/** The handler with interceptors around it, as one handler. */
function intercept(method: AnyMethod, handler: AnyHandler, interceptors: readonly Interceptor[]): AnyHandler {
  const manyResponses = hasManyResponses(method);
  const manyRequests = hasManyRequests(method);
  const innermost: InterceptedCall = async (request): Promise<InterceptedResponse> => {
    const { call } = request;
    if (call === undefined) throw new TypeError("an interceptor handed on a request without its call");
    const input = request.messages.kind === "one" ? request.messages.message : request.messages.stream;
    const output = await handler(input, call);
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
