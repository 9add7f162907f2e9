import type { Codec } from "./codec/codec.js";

/** The standard `idempotency_level` of a method. */
export type Idempotency = "unknown" | "idempotent" | "noSideEffects";

interface MethodBase<Request, RequestShape, Response, ResponseShape> {
  /** "package.Service/Method", the name on the wire. */
  readonly fullName: string;
  /** The name of the property in clients, handlers and the service definition. */
  readonly localName: string;
  readonly request: Codec<Request, RequestShape>;
  readonly response: Codec<Response, ResponseShape>;
  readonly idempotency: Idempotency;
}

export interface UnaryMethod<I, IS, O, OS> extends MethodBase<I, IS, O, OS> {
  readonly kind: "unary";
}
export interface ServerStreamingMethod<I, IS, O, OS> extends MethodBase<I, IS, O, OS> {
  readonly kind: "serverStreaming";
}
export interface ClientStreamingMethod<I, IS, O, OS> extends MethodBase<I, IS, O, OS> {
  readonly kind: "clientStreaming";
}
export interface BidiStreamingMethod<I, IS, O, OS> extends MethodBase<I, IS, O, OS> {
  readonly kind: "bidiStreaming";
}
/** Sent and not answered. */
export interface OneWayMethod<I, IS, O, OS> extends MethodBase<I, IS, O, OS> {
  readonly kind: "oneWay";
}

/** What happens to a publication that finds a subscriber's queue full. */
export type Overflow = "dropOldest" | "dropNewest" | "block" | "disconnect";

/** The delivery rules of a topic, as its option says. */
export interface TopicRules {
  /** Publications that wait for one slow subscriber, from 1 to 1,048,576. */
  readonly depth: number;
  readonly overflow: Overflow;
  /** How long `publishWhenReady` waits for room when `overflow` is "block". */
  readonly blockTimeoutMs: number;
  /** The newest publications per key that a late subscriber receives first. */
  readonly history: number;
}

/** A topic whose request type is its key. */
export interface KeyedTopic<KeyInit, Key, MessageInit, Message>
  extends MethodBase<KeyInit, Key, MessageInit, Message> {
  readonly kind: "topic";
  readonly rules: TopicRules;
  /** The local names of the key's fields, in the order of their numbers. */
  readonly keyFields: readonly string[];
}

/** A topic without a key: its request type is google.protobuf.Empty. */
export interface UnkeyedTopic<KeyInit, Key, MessageInit, Message>
  extends MethodBase<KeyInit, Key, MessageInit, Message> {
  readonly kind: "unkeyedTopic";
  readonly rules: TopicRules;
}

/** Any method that is called, by the runtime's code that treats messages as opaque. */
export type AnyMethod =
  | UnaryMethod<unknown, unknown, unknown, unknown>
  | ServerStreamingMethod<unknown, unknown, unknown, unknown>
  | ClientStreamingMethod<unknown, unknown, unknown, unknown>
  | BidiStreamingMethod<unknown, unknown, unknown, unknown>
  | OneWayMethod<unknown, unknown, unknown, unknown>;

/** Any topic, by the runtime's code that treats messages as opaque. */
export type AnyTopic =
  | KeyedTopic<unknown, unknown, unknown, unknown>
  | UnkeyedTopic<unknown, unknown, unknown, unknown>;

/**
 * A service, as generated code defines it: `$typeName`, and each method and topic under its local name. The type
 * parameters carry the generated client and handlers interfaces; nothing of them exists at run time.
 */
export interface ServiceDefinition<Client, Handlers> {
  readonly $typeName: string;
  /** Every method and topic, in the order of the .proto. */
  readonly $methods: readonly (AnyMethod | AnyTopic)[];
  /** Types only. */
  readonly $types?: { readonly client: Client; readonly handlers: Handlers };
}

/** Whether a method is a topic. */
export function isTopic(method: AnyMethod | AnyTopic): method is AnyTopic {
  return method.kind === "topic" || method.kind === "unkeyedTopic";
}
