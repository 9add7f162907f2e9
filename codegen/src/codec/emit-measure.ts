import type { DescField, DescOneof } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { type Code, initType, type MessageCode, messageFunction, runtime, typed } from "./code.js";
import { keyKind, messageForm, tagBytes, valueKind } from "./scalars.js";

/** The most that a length takes. */
const LENGTH = 5;

/**
 * Prints the function that checks a message and says how many bytes at most it takes. What is the same for all messages
 * of the type is one number.
 */
export function emitMeasure(code: MessageCode, exported: boolean): void {
  const { f, message, name } = code;
  const lines: Code[][] = [];
  let fixedBytes = 0;
  for (const member of message.members) {
    if (member.kind === "oneof") lines.push(...measureOneof(code, member));
    else fixedBytes += measureField(code, member, lines);
  }
  const declaration = exported ? f.export("function", `${name}$measure`) : `function ${name}$measure`;
  f.print(declaration, "(m", typed(code, ": ", initType(code, message)), ")", typed(code, ": number"), " {");
  f.print("  if (m.$typeName !== ", f.string(message.typeName), ") ", runtime(code, "checkInit"), "(m);");
  f.print("  let n = ", fixedBytes, ";");
  for (const line of lines) f.print("  ", line);
  f.print("  const unknown = ", unknownOf(code), ";");
  f.print(
    "  if (unknown !== undefined && m.$typeName !== undefined) n += ",
    runtime(code, "boundOfUnknown"),
    "(unknown);",
  );
  f.print("  return n;");
  f.print("}");
  f.print();
}

/** The unknown fields of a message, which an init object has none of. */
export function unknownOf(code: MessageCode): Code {
  if (code.target === "js") return "m.$unknown";
  return ["(m as ", code.symbols.shape(code.message), ").$unknown"];
}

/** Adds what has to be done for the field's value; returns the bytes that are added in any case. */
function measureField(code: MessageCode, field: DescField, lines: Code[][]): number {
  const at = `m.${field.localName}`;
  const local = `f${field.number}`;
  if (field.presence === FeatureSet_FieldPresence.LEGACY_REQUIRED) {
    const inherited = code.hasPrototype
      ? [
          " || (m.$typeName !== undefined && !",
          runtime(code, "isOwn"),
          "(m, ",
          JSON.stringify(field.localName),
          "))",
        ]
      : "";
    lines.push(["if (", at, " === undefined", inherited, ") ", runtime(code, "unfit"), "();"]);
  }
  switch (field.fieldKind) {
    case "scalar":
    case "enum": {
      const kind = valueKind(field);
      const check: Code = [runtime(code, kind.check), "(", at, ")"];
      lines.push(kind.maxBytes === undefined ? ["n += ", check, ";"] : [check, ";"]);
      return tagLength(field) + (kind.maxBytes ?? 0);
    }
    case "message":
      lines.push([`const ${local} = ${at};`]);
      lines.push([`if (${local} !== undefined) n += `, boundOfMessage(code, field, local), ";"]);
      return 0;
    case "list":
      lines.push([`const ${local} = ${at};`], ...measureList(code, field, local));
      return 0;
    case "map":
      lines.push([`const ${local} = ${at};`], ...measureMap(code, field, local));
      return 0;
  }
}

function tagLength(field: DescField): number {
  return tagBytes(field.number, 0).length;
}

/** The bound of a field that holds a message, its tag and length counted. */
function boundOfMessage(code: MessageCode, field: DescField, value: Code): Code {
  const isGroup = "delimitedEncoding" in field && field.delimitedEncoding === true;
  const around = isGroup ? 2 * tagLength(field) : tagLength(field) + LENGTH;
  return [
    around,
    " + ",
    messageFunction(code, field.message!, "measure"),
    "(",
    toMessage(code, field, value),
    ")",
  ];
}

/** The message that the value of a field stands for. */
export function toMessage(code: MessageCode, field: DescField, value: Code): Code {
  switch (messageForm(field, field.message!)) {
    case "message":
      return value;
    case "wrapper":
      return ["{ value: ", value, " }"];
    case "json":
      return [runtime(code, "structFromJson"), "(", value, ")"];
  }
}

function measureList(code: MessageCode, field: DescField & { fieldKind: "list" }, local: string): Code[][] {
  const loop = `for (let i = 0; i < ${local}.length; i++)`;
  const item: Code = [runtime(code, "given"), `(${local}[i])`];
  if (field.listKind === "message") {
    return [[`if (${local} !== undefined) ${loop} n += `, boundOfMessage(code, field, item), ";"]];
  }
  const kind = valueKind(field);
  const tags = field.packed ? `${tagLength(field) + LENGTH}` : `${tagLength(field)} * ${local}.length`;
  if (kind.checkList !== undefined) {
    return [[`if (${local} !== undefined) n += ${tags} + `, runtime(code, kind.checkList), `(${local});`]];
  }
  return [
    [`if (${local} !== undefined) {`],
    [`  n += ${tags} + ${kind.maxBytes} * ${local}.length;`],
    ["  ", loop, " ", runtime(code, kind.check), "(", item, ");"],
    ["}"],
  ];
}

function measureMap(code: MessageCode, field: DescField & { fieldKind: "map" }, local: string): Code[][] {
  const around = tagLength(field) + LENGTH + 2;
  const value: Code = [runtime(code, "given"), "(", mapValue(code, local), ")"];
  let bytes = around;
  const checks: Code[][] = [];
  const bounds: Code[] = [];
  const keys = keyKind(field);
  if (keys.maxBytes === undefined) {
    bounds.push([runtime(code, keys.check), "(key)"]);
  } else {
    bytes += keys.maxBytes;
    checks.push([runtime(code, keys.check), "(", mapKey(code, field), ");"]);
  }
  if (field.mapKind === "message") {
    bytes += LENGTH;
    bounds.push([messageFunction(code, field.message, "measure"), "(", toMessage(code, field, value), ")"]);
  } else {
    const values = valueKind(field);
    if (values.maxBytes === undefined) {
      bounds.push([runtime(code, values.check), "(", value, ")"]);
    } else {
      bytes += values.maxBytes;
      checks.push([runtime(code, values.check), "(", value, ");"]);
    }
  }
  const added: Code[] = bounds.flatMap((bound): Code[] => [" + ", bound]);
  return [
    [`if (${local} !== undefined) for (const key of `, code.scope.local("Object"), `.keys(${local})) {`],
    ...checks.map((check) => ["  ", ...check]),
    [`  n += ${bytes}`, ...added, ";"],
    ["}"],
  ];
}

/** The value of a map that belongs to `key`. */
export function mapValue(code: MessageCode, local: string): Code {
  return [`${local}[key`, typed(code, ` as unknown as keyof typeof ${local}`), "]"];
}

/** The key of a map as its type has it: as a property's name it is a string. */
export function mapKey(code: MessageCode, field: DescField & { fieldKind: "map" }): Code {
  switch (keyKind(field).zero) {
    case "false":
      return [runtime(code, "boolKey"), "(key)"];
    case "0":
      return [runtime(code, "int32Key"), "(key)"];
    case "0n":
      return [code.scope.local("BigInt"), "(key)"];
    default:
      return "key";
  }
}

function measureOneof(code: MessageCode, oneof: DescOneof): Code[][] {
  const local = oneofLocal(oneof);
  const lines: Code[][] = [
    [`const ${local} = m.${oneof.localName};`],
    [`if (${local} !== undefined && ${local}.case !== undefined) {`],
    [`  if (${local}.value === undefined) `, runtime(code, "unfit"), "();"],
    [`  switch (${local}.case) {`],
  ];
  for (const field of oneof.fields) {
    lines.push([`    case ${JSON.stringify(field.localName)}:`]);
    const value = `${local}.value`;
    if (field.fieldKind === "message") {
      lines.push(["      n += ", boundOfMessage(code, field, value), ";"]);
    } else {
      const kind = valueKind(field);
      const check: Code = [runtime(code, kind.check), `(${value})`];
      if (kind.maxBytes === undefined) {
        lines.push([`      n += ${tagLength(field)} + `, check, ";"]);
      } else {
        lines.push(["      ", check, ";"], [`      n += ${tagLength(field) + kind.maxBytes};`]);
      }
    }
    lines.push(["      break;"]);
  }
  lines.push(["  }"], ["}"]);
  return lines;
}

/** The variable that holds a oneof. */
export function oneofLocal(oneof: DescOneof): string {
  return `o${oneof.fields[0]!.number}`;
}
