import { createHash } from "node:crypto";
import type { DescEnum, DescField, DescMessage } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import type { MethodModel } from "./read-service.js";

// The listing and its hash are specified in docs/spec/fingerprint-v1.md.

const FINGERPRINT_BYTES = 16;

/** The fingerprint of a method's schema. */
export function methodFingerprint(method: MethodModel): string {
  return hashOf(methodListing(method));
}

/** The fingerprint of a service: of its methods' names and fingerprints. */
export function serviceFingerprint(methods: readonly MethodModel[]): string {
  const lines = methods.map((method) => `${method.fullName} ${methodFingerprint(method)}\n`);
  return hashOf(`service\n${lines.sort().join("")}`);
}

/** All of a method that peers have to agree on, in one order. */
export function methodListing({ desc, is }: MethodModel): string {
  const types = new Map<string, DescMessage | DescEnum>();
  collect(desc.input, types);
  collect(desc.output, types);
  const names = [...types.keys()].sort();
  const listed = names.map((name) => {
    const type = types.get(name)!;
    return type.kind === "enum" ? listEnum(type) : listMessage(type);
  });
  return `method ${is.kind}\nin ${desc.input.typeName}\nout ${desc.output.typeName}\n${listed.join("")}`;
}

function collect(message: DescMessage, types: Map<string, DescMessage | DescEnum>): void {
  if (types.has(message.typeName)) return;
  types.set(message.typeName, message);
  for (const { message: inner, enum: values } of message.fields) {
    if (inner !== undefined) collect(inner, types);
    if (values !== undefined) types.set(values.typeName, values);
  }
}

function listMessage(message: DescMessage): string {
  const fields = [...message.fields].sort((a, b) => a.number - b.number);
  return `message ${message.typeName}\n${fields.map(listField).join("")}`;
}

function listField(field: DescField): string {
  const oneof = field.oneof === undefined ? "" : ` oneof ${field.oneof.name}`;
  return `${field.number} ${labelOf(field)} ${typeOf(field)} ${field.name}${oneof}\n`;
}

function labelOf(field: DescField): string {
  if (field.fieldKind === "map") return "map";
  if (field.fieldKind === "list") return field.packed ? "packed" : "repeated";
  switch (field.presence) {
    case FeatureSet_FieldPresence.IMPLICIT:
      return "implicit";
    case FeatureSet_FieldPresence.LEGACY_REQUIRED:
      return "required";
    default:
      return "optional";
  }
}

function typeOf(field: DescField): string {
  if (field.fieldKind === "map") return `${ScalarType[field.mapKey]!.toLowerCase()},${valueTypeOf(field)}`;
  return valueTypeOf(field);
}

function valueTypeOf({ message, enum: values, scalar, ...field }: DescField): string {
  if (message !== undefined) {
    const isGroup = "delimitedEncoding" in field && field.delimitedEncoding === true;
    return isGroup ? `group:${message.typeName}` : message.typeName;
  }
  return values === undefined ? ScalarType[scalar!]!.toLowerCase() : values.typeName;
}

function listEnum(desc: DescEnum): string {
  const values = desc.values.map(({ number, name }) => ({ number, name }));
  values.sort((a, b) => a.number - b.number || (a.name < b.name ? -1 : 1));
  const lines = values.map(({ number, name }) => `${number} ${name}\n`).join("");
  return `enum ${desc.typeName} ${desc.open ? "open" : "closed"}\n${lines}`;
}

function hashOf(listing: string): string {
  return createHash("sha256")
    .update(listing)
    .digest("hex")
    .slice(0, 2 * FINGERPRINT_BYTES);
}
