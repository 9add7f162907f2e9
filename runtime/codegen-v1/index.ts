/**
 * The contract that generated code imports, and all that it imports. It is versioned: what generated code of version 1
 * needs stays here as it is.
 */
export type { CallContext } from "../call-context.js";
export type { CallOptions } from "../call-options.js";
export type { Codec } from "../codec/codec.js";
export { protobufEs } from "../codec/protobuf-es.js";
export { schemaOfBase64, schemaOfFile } from "../codec/schema.js";
export { type TsProtoMessageFns, tsProto } from "../codec/ts-proto.js";
export type {
  BidiStreamingMethod,
  ClientStreamingMethod,
  KeyedTopic,
  OneWayMethod,
  ServerStreamingMethod,
  ServiceDefinition,
  ServiceSchema,
  UnaryMethod,
  UnkeyedTopic,
} from "../definition.js";
