import {
  type DescField,
  type DescMessage,
  type Registry,
  fromJson,
  type JsonValue,
  type Message,
} from "@bufbuild/protobuf";
import { nearest } from "./nearest.js";
import { CliError, EXIT_USAGE } from "./output.js";

/** Reads a message. Throws a `CliError` that names the field that is wrong, and what may be meant. */
export function readMessage(desc: DescMessage, text: string, registry: Registry, what: string): Message {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError(`${what} is no JSON: ${why}`, EXIT_USAGE);
  }
  // Well-known types have a JSON of their own; in the others every name is looked at first, to say where it stands.
  checkNames(desc, value, what);
  try {
    return fromJson(desc, value, { registry });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError(`${what} is no ${desc.typeName}: ${why}`, EXIT_USAGE);
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
  throw new CliError(text, EXIT_USAGE, suggest(value, names));
}

function unknownField(desc: DescMessage, name: string, path: string): CliError {
  const text = `${path}: ${desc.typeName} has no field ${JSON.stringify(name)}`;
  return new CliError(
    text,
    EXIT_USAGE,
    suggest(
      name,
      desc.fields.map(({ jsonName }) => jsonName),
    ),
  );
}

/** What is near; where nothing is, and there are few, all. */
function suggest(name: string, known: readonly string[]): string[] {
  const near = nearest(name, known);
  return near.length > 0 || known.length > 8 ? near : [...known];
}
