import type { DescEnum, DescField, DescMessage, DescMethod } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import type { AnyMethod, AnyTopic } from "../index.js";
import { isTopicKind } from "./catalog.js";

/** A method or topic as in a .proto. */
export function methodText(desc: DescMethod, method: AnyMethod | AnyTopic): string {
  const input =
    desc.methodKind === "client_streaming" || desc.methodKind === "bidi_streaming" ? "stream " : "";
  const output =
    desc.methodKind === "server_streaming" || desc.methodKind === "bidi_streaming" ? "stream " : "";
  const head = `rpc ${desc.name}(${input}${desc.input.typeName}) returns (${output}${desc.output.typeName})`;
  if (!isTopicKind(method)) return method.kind === "oneWay" ? `${head};  // one-way` : `${head};`;
  const { depth, overflow, blockTimeoutMs, history } = method.rules;
  const block = overflow === "block" ? `, waits up to ${blockTimeoutMs} ms` : "";
  return `${head};  // topic: depth ${depth}, overflow ${overflow}${block}, history ${history}`;
}

/** The messages and enums that are reached from these, as in a .proto, each once. Well-known types are left out. */
export function typesText(messages: readonly DescMessage[]): string {
  const seen = new Map<string, DescMessage | DescEnum>();
  const add = (type: DescMessage | DescEnum): void => {
    if (seen.has(type.typeName) || type.typeName.startsWith("google.protobuf.")) return;
    seen.set(type.typeName, type);
    if (type.kind !== "message") return;
    for (const { message, enum: values } of type.fields) {
      if (message !== undefined) add(message);
      if (values !== undefined) add(values);
    }
  };
  for (const message of messages) add(message);
  return [...seen.values()]
    .map((type) => (type.kind === "enum" ? enumText(type) : messageText(type)))
    .join("\n");
}

function messageText({ typeName, fields }: DescMessage): string {
  if (fields.length === 0) return `message ${typeName} {}`;
  return `message ${typeName} {\n${fields.map((field) => `  ${fieldText(field)}\n`).join("")}}`;
}

function fieldText(field: DescField): string {
  const oneof = field.oneof === undefined ? "" : `  // one of ${field.oneof.name}`;
  return `${labelOf(field)}${typeOf(field)} ${field.name} = ${field.number};${oneof}`;
}

function labelOf(field: DescField): string {
  if (field.fieldKind === "list") return "repeated ";
  return field.fieldKind !== "map" && field.proto.proto3Optional ? "optional " : "";
}

function typeOf(field: DescField): string {
  const value = field.message?.typeName ?? field.enum?.typeName ?? ScalarType[field.scalar!]!.toLowerCase();
  return field.fieldKind === "map" ? `map<${ScalarType[field.mapKey]!.toLowerCase()}, ${value}>` : value;
}

function enumText({ typeName, values }: DescEnum): string {
  return `enum ${typeName} {\n${values.map(({ name, number }) => `  ${name} = ${number};\n`).join("")}}`;
}
