/**
 * Services from descriptors, for tools that learn of a schema at run time: their clients, publishers and subscribers take
 * and give messages as protobuf-es makes them of a `DescMessage`.
 *
 * @module protoipc/dynamic
 */
import {
  createFileRegistry,
  type DescMethod,
  type DescService,
  type FileRegistry,
  fromBinary,
  getOption,
  hasOption,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema, MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import {
  method as methodOption,
  Overflow,
  topic as topicOption,
  type TopicOptions,
} from "../gen/protoipc/v1/options_pb.js";
import { protobufEs } from "../runtime/codec/protobuf-es.js";
import type { AnyMethod, AnyTopic, ServiceDefinition, TopicRules } from "../runtime/definition.js";

/** A service that is known by its descriptor. */
export interface DynamicService extends ServiceDefinition<DynamicClient, never> {
  readonly desc: DescService;
}

/**
 * A client of such a service: each method by its local name. They can do what those of generated clients can do besides
 * (`sync`, `borrow`, `forEach`), without types.
 */
export type DynamicClient = Readonly<Record<string, (request: never, options?: object) => unknown>>;

const EMPTY = "google.protobuf.Empty";
// As in protoc-gen-protoipc and docs/start.md.
const DEFAULT_DEPTH = 64;
const DEFAULT_BLOCK_TIMEOUT_MS = 1_000;

const OVERFLOWS: Readonly<Record<Overflow, TopicRules["overflow"]>> = {
  [Overflow.UNSPECIFIED]: "dropOldest",
  [Overflow.DROP_OLDEST]: "dropOldest",
  [Overflow.DROP_NEWEST]: "dropNewest",
  [Overflow.BLOCK]: "block",
  [Overflow.DISCONNECT]: "disconnect",
};

/**
 * Reads a serialized google.protobuf.FileDescriptorSet, such as `Inspect.Describe` gives. Throws for bytes that are none,
 * or in which a file is missing.
 */
export function registryOf(fileDescriptorSet: Uint8Array): FileRegistry {
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, fileDescriptorSet));
}

/** The services of a registry. Methods whose options make no sense are those of a plain method. */
export function definitionsOf(registry: FileRegistry): DynamicService[] {
  const services: DynamicService[] = [];
  for (const file of registry.files)
    for (const service of file.services) services.push(definitionOf(service));
  return services;
}

/** A service by its descriptor. */
export function definitionOf(desc: DescService): DynamicService {
  const $methods = desc.methods.map(methodOf);
  const byName = Object.fromEntries($methods.map((method) => [method.localName, method]));
  return { ...byName, desc, $typeName: desc.typeName, $methods };
}

function methodOf(desc: DescMethod): AnyMethod | AnyTopic {
  const base = {
    fullName: `${desc.parent.typeName}/${desc.name}`,
    localName: desc.localName,
    request: protobufEs(desc.input),
    response: protobufEs(desc.output),
    idempotency: idempotencyOf(desc),
  };
  if (desc.methodKind === "server_streaming" && hasOption(desc, topicOption)) {
    const rules = rulesOf(getOption(desc, topicOption));
    if (desc.input.typeName === EMPTY) return { ...base, kind: "unkeyedTopic", rules };
    const fields = [...desc.input.fields].sort((a, b) => a.number - b.number);
    return { ...base, kind: "topic", rules, keyFields: fields.map(({ localName }) => localName) };
  }
  return { ...base, kind: kindOf(desc) };
}

function kindOf(desc: DescMethod): AnyMethod["kind"] {
  switch (desc.methodKind) {
    case "unary":
      return hasOption(desc, methodOption) && getOption(desc, methodOption).oneWay ? "oneWay" : "unary";
    case "server_streaming":
      return "serverStreaming";
    case "client_streaming":
      return "clientStreaming";
    case "bidi_streaming":
      return "bidiStreaming";
  }
}

function rulesOf({ depth, overflow, blockTimeout, history }: TopicOptions): TopicRules {
  const blockTimeoutMs =
    blockTimeout === undefined
      ? DEFAULT_BLOCK_TIMEOUT_MS
      : Math.ceil(Number(blockTimeout.seconds) * 1_000 + blockTimeout.nanos / 1_000_000);
  return {
    depth: depth || DEFAULT_DEPTH,
    overflow: OVERFLOWS[overflow] ?? "dropOldest",
    blockTimeoutMs,
    history,
  };
}

function idempotencyOf(desc: DescMethod): AnyMethod["idempotency"] {
  switch (desc.idempotency) {
    case MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS:
      return "noSideEffects";
    case MethodOptions_IdempotencyLevel.IDEMPOTENT:
      return "idempotent";
    default:
      return "unknown";
  }
}
