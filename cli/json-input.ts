import {
  type DescField,
  type DescMessage,
  type Registry,
  fromJson,
  type JsonValue,
  type Message,
} from "@bufbuild/protobuf";
import { CliError } from "./cli-error.js";
import { nearest } from "./nearest.js";

/** Reads a message. Throws a `CliError` that names the field that is wrong, and what may be meant. */
export function readMessage(desc: DescMessage, text: string, registry: Registry, what: string): Message {
  return messageOf(desc, parseJson(text, what), registry, what);
}

/** Reads JSON of any kind. Throws a `CliError`. */
export function parseJson(text: string, what: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError("INVALID_ARGUMENT", `${what} is no JSON: ${why}`);
  }
}

/** As `readMessage`, of JSON that is read already. */
export function messageOf(desc: DescMessage, value: JsonValue, registry: Registry, what: string): Message {
  // Well-known types have a JSON of their own; in the others every name is looked at first, to say where it stands.
  checkNames(desc, value, what);
  try {
    return fromJson(desc, value, { registry });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError("INVALID_ARGUMENT", `${what} is no ${desc.typeName}: ${why}`);
  }
}

function checkNames(desc: DescMessage, value: JsonValue, path: string): void {
  if (desc.typeName.startsWith("google.protobuf.")) return;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return;
  const known = new Map<string, DescField>();
  for (const field of desc.fields) {
    known.set(field.jsonName, field);
    known.set(field.name, field);
  }
  for (const [name, inner] of Object.entries(value)) {
    const field = known.get(name);
    if (field === undefined) throw unknownField(desc, name, path);
    checkValue(field, inner, `${path}.${name}`);
  }
}

function checkValue(field: DescField, value: JsonValue, path: string): void {
  if (field.fieldKind === "list" && Array.isArray(value)) {
    for (const [index, item] of value.entries()) checkSingle(field, item, `${path}[${index}]`);
  } else if (
    field.fieldKind === "map" &&
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value)
  ) {
    for (const [key, item] of Object.entries(value))
      checkSingle(field, item, `${path}[${JSON.stringify(key)}]`);
  } else {
    checkSingle(field, value, path);
  }
}

function checkSingle(field: DescField, value: JsonValue, path: string): void {
  if (field.message !== undefined) checkNames(field.message, value, path);
  if (field.enum === undefined || typeof value !== "string") return;
  const names = field.enum.values.map(({ name }) => name);
  if (names.includes(value)) return;
  const text = `${path} is ${JSON.stringify(value)}, which is no value of ${field.enum.typeName}`;
  throw new CliError("INVALID_ARGUMENT", text, { suggestions: suggest(value, names) });
}

function unknownField(desc: DescMessage, name: string, path: string): CliError {
  const text = `${path}: ${desc.typeName} has no field ${JSON.stringify(name)}`;
  return new CliError("INVALID_ARGUMENT", text, { suggestions: suggestFields(desc, name) });
}

/** What is near; where nothing is, and there are few, all. */
function suggest(name: string, known: readonly string[]): string[] {
  const near = nearest(name, known);
  return near.length > 0 || known.length > 8 ? near : [...known];
}

/** A field that is near; else one of the messages in it; else all that there are. */
function suggestFields(desc: DescMessage, name: string): string[] {
  const own = desc.fields.map(({ jsonName }) => jsonName);
  const near = nearest(name, own);
  if (near.length > 0) return near;
  const inner = nearest(name, fieldsWithin(desc, DEEPEST));
  return inner.length > 0 ? inner : suggest(name, own);
}

/** Types may contain themselves. */
const DEEPEST = 4;

function fieldsWithin(desc: DescMessage, depth: number): string[] {
  if (depth === 0) return [];
  return desc.fields.flatMap(({ fieldKind, jsonName, message }) => {
    if (message === undefined || fieldKind === "map" || message.typeName.startsWith("google.protobuf."))
      return [];
    const path = fieldKind === "list" ? `${jsonName}[]` : jsonName;
    const names = message.fields.map((field) => field.jsonName);
    return [...names, ...fieldsWithin(message, depth - 1)].map((inner) => `${path}.${inner}`);
  });
}
