import type { DescField, DescMessage, DescMethod } from "@bufbuild/protobuf";
import { isReflectMessage, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { hasField, readField } from "./option-extensions.js";
import type { Options } from "./options.js";
import { locateField } from "./problems.js";
import { tsProtoFieldName } from "./ts-proto-names.js";

export const EMPTY = "google.protobuf.Empty";

const DEFAULT_DEPTH = 64;
const MAX_DEPTH = 1_048_576;
const DEFAULT_BLOCK_TIMEOUT_MS = 1_000;
/** The longest time that a timer of JavaScript keeps. */
const MAX_BLOCK_TIMEOUT_MS = 2_147_483_647;

/** The values of protoipc.v1.Overflow, by number. */
const OVERFLOWS = ["dropOldest", "dropOldest", "dropNewest", "block", "disconnect"] as const;

/** The delivery rules of a topic, with the defaults filled in. */
export interface TopicRules {
  readonly depth: number;
  readonly overflow: (typeof OVERFLOWS)[number];
  readonly blockTimeoutMs: number;
  readonly history: number;
}

type TopicKind =
  | { readonly kind: "topic"; readonly rules: TopicRules; readonly keyFields: readonly string[] }
  | { readonly kind: "unkeyedTopic"; readonly rules: TopicRules };

/** Reads a method that carries the topic option; `refuse` hears of each thing that is wrong with it. */
export function readTopic(
  method: DescMethod,
  option: ReflectMessage,
  options: Options,
  refuse: (reason: string) => void,
): TopicKind {
  if (method.methodKind !== "server_streaming") {
    refuse(`a topic is a server-streaming method, and this one is ${method.methodKind.replace("_", "-")}`);
  }
  const rules = readRules(option, refuse);
  if (method.input.typeName === EMPTY) return { kind: "unkeyedTopic", rules };
  const isTsProto = options.messages === "ts-proto";
  checkKey(method.input, isTsProto, refuse);
  const keyFields = [...method.input.fields]
    .sort((a, b) => a.number - b.number)
    .map((field) => (isTsProto ? tsProtoFieldName(field, options.tsProto) : field.localName));
  return { kind: "topic", rules, keyFields };
}

function readRules(option: ReflectMessage, refuse: (reason: string) => void): TopicRules {
  const depth = Number(readField(option, "depth")) || DEFAULT_DEPTH;
  if (depth > MAX_DEPTH) refuse(`depth is ${depth}, above the limit of ${MAX_DEPTH}`);
  const history = Number(readField(option, "history"));
  if (history > depth) refuse(`history is ${history}, above depth, which is ${depth}`);
  const overflowNumber = Number(readField(option, "overflow"));
  const overflow = OVERFLOWS[overflowNumber];
  if (overflow === undefined)
    refuse(`overflow is ${overflowNumber}, which is no value of protoipc.v1.Overflow`);
  return {
    depth,
    overflow: overflow ?? "dropOldest",
    blockTimeoutMs: readBlockTimeout(option, refuse),
    history,
  };
}

function readBlockTimeout(option: ReflectMessage, refuse: (reason: string) => void): number {
  if (!hasField(option, "block_timeout")) return DEFAULT_BLOCK_TIMEOUT_MS;
  const duration = readField(option, "block_timeout");
  if (!isReflectMessage(duration)) return DEFAULT_BLOCK_TIMEOUT_MS;
  const seconds = Number(readField(duration, "seconds"));
  const nanos = Number(readField(duration, "nanos"));
  const timeoutMs = Math.ceil(seconds * 1_000 + nanos / 1_000_000);
  if (seconds < 0 || nanos < 0) {
    refuse(`block_timeout is negative (${seconds} seconds, ${nanos} nanos)`);
  } else if (timeoutMs > MAX_BLOCK_TIMEOUT_MS) {
    refuse(`block_timeout is ${timeoutMs} ms, above the limit of ${MAX_BLOCK_TIMEOUT_MS} ms`);
  }
  return timeoutMs;
}

function checkKey(key: DescMessage, isTsProto: boolean, refuse: (reason: string) => void): void {
  if (key.fields.length === 0) {
    refuse(`the key ${key.typeName} has no fields; a topic without a key takes ${EMPTY}`);
  }
  for (const field of key.fields) {
    const fault = keyFieldFault(field) ?? (isTsProto ? tsProtoFault(field) : undefined);
    if (fault !== undefined) {
      refuse(`the key's field ${key.typeName}.${field.name} (${locateField(field)}) ${fault}`);
    }
  }
}

/** Why a field cannot be part of a key: a filter must be able to set it or leave it unset, and to compare it. */
function keyFieldFault(field: DescField): string | undefined {
  if (field.fieldKind === "list") return "is repeated; key fields are single scalars or enums";
  if (field.fieldKind === "map") return "is a map; key fields are single scalars or enums";
  if (field.fieldKind === "message") return "is a message; key fields are scalars or enums";
  if (field.oneof !== undefined) return `is part of the oneof ${field.oneof.name}; key fields stand alone`;
  if (field.presence === FeatureSet_FieldPresence.IMPLICIT) {
    return "has no presence, so that a filter cannot leave it unset; write `optional` before its type";
  }
  if (field.presence === FeatureSet_FieldPresence.LEGACY_REQUIRED) {
    return "is required, so that a filter cannot leave it unset; write `optional` before its type";
  }
  return undefined;
}

/** In what ts-proto generates, a field of another syntax that is not set reads as its zero value, and is one on the wire. */
function tsProtoFault(field: DescField): string | undefined {
  if (field.proto.proto3Optional) return undefined;
  return "has no presence in what ts-proto generates; it has for `optional` of proto3 alone";
}
