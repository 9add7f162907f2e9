import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { type Code, codecPath, type CodeFile, type MessageCode, runtime } from "../codec/code.js";
import { isLongString, messageForm, valueKind } from "../codec/scalars.js";

// What the code of views and that of writers have in common.

/** The class of a message's views or writers, of this file or another one. */
export function inPlaceClass(code: CodeFile, message: DescMessage, which: "View" | "Writer"): Code {
  const { file, name } = code.plan.find(message, code.desc);
  return code.f.import(`${name}${which}`, inPlacePath(file.name));
}

export function inPlacePath(fileName: string): string {
  return `./${fileName}_inplace.js`;
}

/** The codec of a message. */
export function codecOf(code: CodeFile, message: DescMessage): Code {
  const { file, name } = code.plan.find(message, code.desc);
  return code.f.import(`${name}Codec`, codecPath(file));
}

/** A constant of the file that belongs to a message. The name holds a dollar sign, which no name of a schema does. */
export function constantOf({ scope, name }: MessageCode, what: string): Code {
  return scope.local(`${name}$${what}`);
}

export function isGroup(field: DescField): boolean {
  return "delimitedEncoding" in field && field.delimitedEncoding === true;
}

/** The type of one value that is no message but in the form of JSON: of a singular field, in a list or a map. */
export function valueType(code: MessageCode, field: DescField): Code {
  if (field.enum !== undefined) return code.symbols.shape(field.enum);
  if (field.message !== undefined) {
    if (messageForm(field, field.message) === "json") {
      return code.f.import("JsonObject", "@bufbuild/protobuf", true);
    }
    return scalarType(code, field.message.fields[0]!.scalar!);
  }
  return isLongString(field) ? "string" : scalarType(code, field.scalar!);
}

export function scalarType(code: CodeFile, scalar: ScalarType): Code {
  switch (scalar) {
    case ScalarType.STRING:
      return "string";
    case ScalarType.BYTES:
      return code.scope.local("Uint8Array");
    case ScalarType.BOOL:
      return "boolean";
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return "bigint";
    default:
      return "number";
  }
}

/** The kind of value of the runtime that writes what a function of it reads. */
export function kindOf(code: CodeFile, read: string): Code {
  const name = read.replace(/^read(Loose)?/, "");
  return runtime(code, `${name[0]!.toLowerCase()}${name.slice(1)}Kind`);
}

/** How a field that holds no message as such is written; for a map, its values. */
export function fieldKind(code: MessageCode, field: DescField): Code {
  return isHoisted(field) ? constantOf(code, `kind${field.number}`) : kindOf(code, valueKind(field).read);
}

/** Whether the kind of the field is made of another one: then the file has it as a constant. */
export function isHoisted(field: DescField): boolean {
  return field.message !== undefined ? holdsPlainValue(field) : isLongString(field);
}

/** Whether a field of a message type holds something else in its place. */
export function holdsPlainValue(field: DescField): boolean {
  return field.message !== undefined && messageForm(field, field.message) !== "message";
}
