import type { DescEnum, DescField } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { type Code, type MessageCode, memberType, messageFunction, runtime, typed } from "./code.js";
import { oneofLocal } from "./emit-measure.js";
import {
  isLongString,
  keyKind,
  LENGTH_DELIMITED,
  messageForm,
  packedFunctions,
  type ValueKind,
  valueKind,
} from "./scalars.js";

type SingularField = DescField & { fieldKind: "scalar" | "enum" | "message" };

export const SCALAR_WITHOUT_PACKING: ReadonlySet<string> = new Set([
  "readString",
  "readLooseString",
  "readBytes",
]);

/**
 * Prints the function that reads a message: into variables first, and then into one object with all properties that
 * every message has, so that all messages of the type have one shape.
 */
export function emitRead(code: MessageCode, exported: boolean): void {
  const { f, message, name, isGroup } = code;
  if (code.hasPrototype) f.print(`let ${name}$prototype`, typed(code, ": object | undefined"), ";");
  const declaration = exported ? f.export("function", `${name}$read`) : `function ${name}$read`;
  const number = typed(code, ": number");
  f.print(
    declaration,
    "(bytes",
    typed(code, ": ", code.scope.local("Uint8Array")),
    ", pos",
    number,
    ", end",
    number,
    ", depth",
    number,
    isGroup ? [", group", number, " = 0"] : "",
    ")",
    typed(code, ": ", code.symbols.shape(message)),
    " {",
  );
  f.print("  if (depth < 1) throw ", runtime(code, "tooDeep"), "();");
  for (const member of message.members) {
    if (member.kind === "oneof") {
      f.print(
        `  let ${oneofLocal(member)}`,
        typed(code, ": ", memberType(code, member.localName), " | undefined"),
        ";",
      );
    } else {
      f.print("  ", declare(code, member));
    }
  }
  f.print("  let unknown", typed(code, ": ", code.symbols.shape(message), '["$unknown"] | undefined'), ";");
  f.print("  while (pos < end) {");
  printTag(code, "    ");
  if (isGroup) {
    f.print("    if (group !== 0 && (tag & 7) === 4) {");
    f.print("      ", runtime(code, "checkGroupEnd"), "(tag, group);");
    f.print("      group = -1;");
    f.print("      break;");
    f.print("    }");
  }
  f.print("    switch (tag >>> 3) {");
  for (const field of [...message.fields].sort((a, b) => a.number - b.number)) {
    f.print(`      case ${field.number}: {`);
    readField(code, field);
    f.print("        break;");
    f.print("      }");
  }
  f.print("      default:");
  f.print("        unknown = ", runtime(code, "addUnknown"), "(unknown, bytes, pos, end, tag, depth - 1);");
  f.print("        pos = ", runtime(code, "cursor"), ".pos;");
  f.print("    }");
  f.print("  }");
  f.print("  if (pos > end", isGroup ? " || group > 0" : "", ") throw ", runtime(code, "overrun"), "();");
  if (isGroup) f.print("  ", runtime(code, "cursor"), ".pos = pos;");
  printMessage(code);
  f.print("  if (unknown !== undefined) message.$unknown = unknown;");
  f.print("  return message;");
  f.print("}");
  f.print();
}

function printTag(code: MessageCode, indent: string): void {
  const { f } = code;
  f.print(indent, "let tag = bytes[pos++]", typed(code, "!"), ";");
  f.print(indent, "if (tag > 0x7f || (tag & 6) === 6) {");
  f.print(indent, "  tag = ", runtime(code, "readTag"), "(bytes, pos, tag);");
  f.print(indent, "  pos = ", runtime(code, "cursor"), ".pos;");
  f.print(indent, "}");
}

/** Whether every message has the property, with a zero value where the field does not come. */
export function isAlwaysThere(field: DescField): boolean {
  if (field.fieldKind === "list" || field.fieldKind === "map") return true;
  return field.presence === FeatureSet_FieldPresence.IMPLICIT;
}

/** The declaration of the variable that a field is read into. */
function declare(code: MessageCode, field: DescField): Code {
  const local = `f${field.number}`;
  const type = memberType(code, field.localName);
  switch (field.fieldKind) {
    case "list":
      return [`const ${local}`, typed(code, ": ", type), " = [];"];
    case "map":
      return [`const ${local}`, typed(code, ": ", type), " = {};"];
    default: {
      if (!isAlwaysThere(field)) return [`let ${local}`, typed(code, ": ", type, " | undefined"), ";"];
      const kind = valueKind(field);
      // An empty array of bytes is made only where it is needed.
      if (kind.check === "boundOfBytes")
        return [`let ${local}`, typed(code, ": ", type, " | undefined"), ";"];
      return [`let ${local}`, typed(code, ": ", type), " = ", kind.zero, ";"];
    }
  }
}

/** Prints the message, made of the variables. */
function printMessage(code: MessageCode): void {
  const { f, message, name } = code;
  const shape = code.symbols.shape(message);
  const properties: Code[][] = [];
  for (const member of message.members) {
    if (member.kind === "oneof") {
      properties.push([`${member.localName}: ${oneofLocal(member)} ?? { case: undefined }`]);
    } else if (isAlwaysThere(member)) {
      const isBytes = member.fieldKind === "scalar" && valueKind(member).check === "boundOfBytes";
      const empty: Code = isBytes ? [" ?? ", runtime(code, "noBytes")] : "";
      properties.push([`${member.localName}: f${member.number}`, empty]);
    }
  }
  if (code.hasPrototype) {
    const schema = code.symbols.schema(message);
    f.print(`  ${name}$prototype ??= `, runtime(code, "prototypeOf"), "(", schema, ");");
    f.print(
      "  const message = ",
      runtime(code, "newMessage"),
      typed(code, "<", shape, ">"),
      `(${name}$prototype, `,
      f.string(message.typeName),
      ");",
    );
    for (const [head, ...rest] of properties) {
      f.print("  message.", String(head).replace(":", " ="), rest, ";");
    }
  } else {
    f.print("  const message", typed(code, ": ", shape), " = {");
    f.print("    $typeName: ", f.string(message.typeName), ",");
    for (const property of properties) f.print("    ", property, ",");
    f.print("  };");
  }
  for (const field of message.fields) {
    if (field.oneof !== undefined || isAlwaysThere(field)) continue;
    f.print(`  if (f${field.number} !== undefined) message.${field.localName} = f${field.number};`);
  }
}

function readField(code: MessageCode, field: DescField): void {
  const indent = "        ";
  switch (field.fieldKind) {
    case "scalar":
    case "enum":
    case "message":
      readSingular(code, field);
      break;
    case "list":
      readList(code, field, indent);
      break;
    case "map":
      readMap(code, field, indent);
      break;
  }
}

/** A value that is no message. The position is in the cursor afterwards. */
function readValue(code: MessageCode, field: DescField, kind: ValueKind, end: string): Code {
  const value: Code = [runtime(code, kind.read), kind.hasLength ? `(bytes, pos, ${end})` : "(bytes, pos)"];
  return isLongString(field) ? [code.scope.local("String"), "(", value, ")"] : value;
}

function readSingular(code: MessageCode, field: SingularField): void {
  const { f } = code;
  const indent = "        ";
  const assign = (value: Code): Code => {
    if (field.oneof === undefined) return [`f${field.number} = `, value, ";"];
    return [`${oneofLocal(field.oneof)} = { case: ${JSON.stringify(field.localName)}, value: `, value, " };"];
  };
  if (field.fieldKind === "message") {
    readMessageInto(code, field, indent, assign);
    return;
  }
  const value = readValue(code, field, valueKind(field), "end");
  if (field.enum === undefined) {
    f.print(indent, assign(value));
    printAdvance(code, indent);
    return;
  }
  const cast = typed(code, " as ", code.symbols.shape(field.enum));
  if (field.enum.open) {
    f.print(indent, assign([value, cast]));
    printAdvance(code, indent);
    return;
  }
  f.print(indent, "const value = ", value, ";");
  printAdvance(code, indent);
  f.print(indent, "if (", isValueOf(field.enum), ") ", assign(["value", cast]));
  f.print(indent, "else unknown = ", runtime(code, "addUnknownEnum"), "(unknown, tag, value);");
}

function printAdvance(code: MessageCode, indent: string): void {
  code.f.print(indent, "pos = ", runtime(code, "cursor"), ".pos;");
}

/** Whether `value` is one of a closed enum's. */
export function isValueOf({ values }: DescEnum): string {
  const numbers = [...new Set(values.map(({ number }) => number))].sort((a, b) => a - b);
  const ranges: [number, number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges
    .map(([from, to]) => (from === to ? `value === ${from}` : `(value >= ${from} && value <= ${to})`))
    .join(" || ");
}

/** A message. One that comes twice for the same field is to be merged, which is left to protobuf-es. */
function readMessageInto(
  code: MessageCode,
  field: DescField & { fieldKind: "message" },
  indent: string,
  assign: (value: Code) => Code,
): void {
  const { f } = code;
  const isThere =
    field.oneof === undefined
      ? `f${field.number} !== undefined`
      : `${oneofLocal(field.oneof)}?.case === ${JSON.stringify(field.localName)}`;
  f.print(indent, `if (${isThere}) throw `, runtime(code, "twice"), "();");
  const read = messageFunction(code, field.message, "read");
  if (field.delimitedEncoding) {
    f.print(
      indent,
      assign(fromMessage(code, field, [read, `(bytes, pos, end, depth - 1, ${field.number})`])),
    );
    printAdvance(code, indent);
    return;
  }
  f.print(indent, "const stop = ", runtime(code, "readEnd"), "(bytes, pos, end);");
  const message: Code = [read, "(bytes, ", runtime(code, "cursor"), ".pos, stop, depth - 1)"];
  f.print(indent, assign(fromMessage(code, field, message)));
  f.print(indent, "pos = stop;");
}

/** What a field holds of a message. */
function fromMessage(code: MessageCode, field: DescField, message: Code): Code {
  switch (messageForm(field, field.message!)) {
    case "message":
      return message;
    case "wrapper":
      return [message, ".value"];
    case "json":
      return [runtime(code, "structToJson"), "(", message, ")"];
  }
}

function readList(code: MessageCode, field: DescField & { fieldKind: "list" }, indent: string): void {
  const { f } = code;
  const local = `f${field.number}`;
  if (field.listKind === "message") {
    const read = messageFunction(code, field.message, "read");
    if (field.delimitedEncoding) {
      const group: Code = [read, `(bytes, pos, end, depth - 1, ${field.number})`];
      f.print(indent, `${local}.push(`, fromMessage(code, field, group), ");");
      printAdvance(code, indent);
      return;
    }
    f.print(indent, "const stop = ", runtime(code, "readEnd"), "(bytes, pos, end);");
    const message: Code = [read, "(bytes, ", runtime(code, "cursor"), ".pos, stop, depth - 1)"];
    f.print(indent, `${local}.push(`, fromMessage(code, field, message), ");");
    f.print(indent, "pos = stop;");
    return;
  }
  const kind = valueKind(field);
  const cast = field.listKind === "enum" ? typed(code, " as ", code.symbols.shape(field.enum)) : "";
  const push: Code = [`${local}.push(`, readValue(code, field, kind, "end"), cast, ");"];
  if (SCALAR_WITHOUT_PACKING.has(kind.read)) {
    f.print(indent, push);
    printAdvance(code, indent);
    return;
  }
  f.print(indent, `if ((tag & 7) === ${LENGTH_DELIMITED}) {`);
  f.print(indent, "  const stop = ", runtime(code, "readEnd"), "(bytes, pos, end);");
  if (kind.hasPacked) {
    const cursor = runtime(code, "cursor");
    f.print(
      indent,
      "  ",
      runtime(code, packedFunctions(kind).read),
      "(bytes, ",
      cursor,
      `.pos, stop, ${local});`,
    );
    f.print(indent, "  pos = stop;");
  } else {
    printAdvance(code, `${indent}  `);
    f.print(indent, "  while (pos < stop) {");
    f.print(indent, "    ", push);
    printAdvance(code, `${indent}    `);
    f.print(indent, "  }");
    f.print(indent, "  if (pos > stop) throw ", runtime(code, "overrun"), "();");
  }
  f.print(indent, "} else {");
  f.print(indent, "  ", push);
  printAdvance(code, `${indent}  `);
  f.print(indent, "}");
}

function readMap(code: MessageCode, field: DescField & { fieldKind: "map" }, indent: string): void {
  const { f } = code;
  const local = `f${field.number}`;
  const inner = `${indent}  `;
  const keys = keyKind(field);
  const isNamed = keys.zero === '""' || keys.zero === "0";
  const zeroKey =
    keys.zero === '""' || keys.zero === "0" ? keys.zero : JSON.stringify(keys.zero.replace("n", ""));
  const map = memberType(code, field.localName);
  f.print(indent, "const stop = ", runtime(code, "readEnd"), "(bytes, pos, end);");
  printAdvance(code, indent);
  f.print(indent, "let key = ", zeroKey, ";");
  f.print(indent, "let value", typed(code, ": ", map, "[keyof ", map, "] | undefined"), ";");
  f.print(indent, "while (pos < stop) {");
  printTag(code, inner);
  f.print(inner, "switch (tag >>> 3) {");
  f.print(inner, "  case 1:");
  const key: Code = [runtime(code, keys.read), keys.hasLength ? "(bytes, pos, stop)" : "(bytes, pos)"];
  f.print(inner, "    key = ", isNamed ? key : [code.scope.local("String"), "(", key, ")"], ";");
  printAdvance(code, `${inner}    `);
  f.print(inner, "    break;");
  f.print(inner, "  case 2: {");
  let absent: Code;
  if (field.mapKind === "message") {
    const read = messageFunction(code, field.message, "read");
    f.print(inner, "    if (value !== undefined) throw ", runtime(code, "twice"), "();");
    f.print(inner, "    const valueStop = ", runtime(code, "readEnd"), "(bytes, pos, stop);");
    const message: Code = [read, "(bytes, ", runtime(code, "cursor"), ".pos, valueStop, depth - 1)"];
    f.print(inner, "    value = ", fromMessage(code, field, message), ";");
    f.print(inner, "    pos = valueStop;");
    absent = fromMessage(code, field, [read, "(bytes, stop, stop, 1)"]);
  } else {
    const values = valueKind(field);
    const cast = field.mapKind === "enum" ? typed(code, " as ", code.symbols.shape(field.enum)) : "";
    f.print(inner, "    value = ", readValue(code, field, values, "stop"), cast, ";");
    printAdvance(code, `${inner}    `);
    absent = zeroOf(code, field, values);
  }
  f.print(inner, "    break;");
  f.print(inner, "  }");
  f.print(inner, "  default:");
  f.print(inner, "    pos = ", runtime(code, "skip"), "(bytes, pos, stop, tag, depth - 1);");
  f.print(inner, "}");
  f.print(indent, "}");
  f.print(indent, "if (pos > stop) throw ", runtime(code, "overrun"), "();");
  f.print(indent, runtime(code, "setEntry"), `(${local}, key, value ?? `, absent, ");");
}

function zeroOf(code: MessageCode, field: DescField & { fieldKind: "map" }, kind: ValueKind): Code {
  if (field.mapKind === "enum") {
    return [field.enum.values[0]!.number, typed(code, " as ", code.symbols.shape(field.enum))];
  }
  if (kind.check === "boundOfBytes") return runtime(code, "noBytes");
  return kind.zero;
}
