import type { DescField, DescMessage, Message, ScalarType } from "@bufbuild/protobuf";
import { ScalarType as Type } from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import type { MessageWriter } from "../../runtime/codec/inplace/writer.js";

type Values = Readonly<Record<string, unknown>>;
type Methods = Record<string, (...args: unknown[]) => unknown>;

/** Says yes or no where there are two ways to write something. */
export type Choose = () => boolean;

/** Writes a message by the setters of a writer, named after the type's description. */
export function writeMessage(
  writer: MessageWriter,
  desc: DescMessage,
  message: Message,
  choose: Choose,
): void {
  const values = message as unknown as Values;
  for (const member of desc.members) {
    if (member.kind === "oneof") {
      const { case: name, value } = values[member.localName] as { case?: string; value?: unknown };
      const field = member.fields.find(({ localName }) => localName === name);
      if (field !== undefined) writeSingular(writer, field, value, choose);
      continue;
    }
    const value = values[member.localName];
    switch (member.fieldKind) {
      case "list":
        writeList(writer, member, value as readonly unknown[], choose);
        break;
      case "map":
        writeMap(writer, member, value as Values, choose);
        break;
      default:
        // A prototype's value is none that is set.
        if (value !== undefined && Object.hasOwn(message, member.localName))
          writeSingular(writer, member, value, choose);
    }
  }
}

function methodsOf(writer: MessageWriter): Methods {
  return writer as unknown as Methods;
}

function named(verb: string, { localName }: DescField): string {
  return `${verb}${localName[0]!.toUpperCase()}${localName.slice(1)}`;
}

/** Whether the field takes a value in place of its message. */
function isPlain(field: DescField): boolean {
  if (field.message === undefined) return true;
  if (field.message.typeName === "google.protobuf.Struct")
    return field.parent.typeName !== "google.protobuf.Value";
  return field.fieldKind === "message" && field.oneof === undefined && isWrapperDesc(field.message);
}

function fill(field: DescField, value: unknown, choose: Choose): (inner: MessageWriter) => void {
  return (inner) => writeMessage(inner, field.message!, value as Message, choose);
}

function writeSingular(writer: MessageWriter, field: DescField, value: unknown, choose: Choose): void {
  const methods = methodsOf(writer);
  if (!isPlain(field)) {
    methods[named("set", field)]!(fill(field, value, choose));
  } else if (field.message === undefined && value instanceof Uint8Array && choose()) {
    reserve(methods, field, value, choose);
  } else {
    // Of what is written twice, the last counts.
    if (field.message === undefined && choose())
      (writer as unknown as Record<string, unknown>)[field.localName] = value;
    (writer as unknown as Record<string, unknown>)[field.localName] = value;
  }
}

function reserve(methods: Methods, field: DescField, value: Uint8Array, choose: Choose): void {
  if (!choose()) {
    (methods[named("reserve", field)]!(value.length) as Uint8Array).set(value);
    return;
  }
  (methods[named("reserve", field)]!(value.length + 200) as Uint8Array).set(value);
  methods[named("trim", field)]!(value.length);
}

function writeList(
  writer: MessageWriter,
  field: DescField & { fieldKind: "list" },
  list: readonly unknown[],
  choose: Choose,
): void {
  const methods = methodsOf(writer);
  if (field.listKind !== "message" && field.packed && choose()) {
    // As an array, and as what can be gone through once only.
    methods[named("set", field)]!(choose() ? list : list.values());
    return;
  }
  for (const value of list) {
    if (!isPlain(field)) methods[named("add", field)]!(fill(field, value, choose));
    else if (value instanceof Uint8Array && choose()) reserve(methods, field, value, choose);
    else methods[named("add", field)]!(value);
  }
}

function writeMap(
  writer: MessageWriter,
  field: DescField & { fieldKind: "map" },
  map: Values,
  choose: Choose,
): void {
  for (const [key, value] of Object.entries(map)) {
    const given = isPlain(field) ? value : fill(field, value, choose);
    methodsOf(writer)[named("put", field)]!(keyOf(key, field.mapKey), given);
  }
}

function keyOf(key: string, type: ScalarType): unknown {
  switch (type) {
    case Type.STRING:
      return key;
    case Type.BOOL:
      return key === "true";
    case Type.INT64:
    case Type.UINT64:
    case Type.SINT64:
    case Type.FIXED64:
    case Type.SFIXED64:
      return BigInt(key);
    default:
      return Number(key);
  }
}
