import type { DescField, DescOneof } from "@bufbuild/protobuf";
import { type Code, type MessageCode, memberType, runtime, typed } from "../codec/code.js";
import { isAlwaysThere, isValueOf, SCALAR_WITHOUT_PACKING } from "../codec/emit-read.js";
import { isLongString, keyKind, messageForm, packedFunctions, valueKind } from "../codec/scalars.js";
import { CONTRACT } from "../message-types.js";
import { constantOf, holdsPlainValue, inPlaceClass, valueType } from "./inplace-code.js";

/** Prints the class whose getters read the fields of an encoded message. */
export function emitView(code: MessageCode): void {
  const { f, message, name, target } = code;
  const isDeclared = target === "dts";
  f.print("/** Reads ", message.typeName, " where it stands. */");
  f.print(
    isDeclared ? f.export("declare class", `${name}View`) : f.export("class", `${name}View`),
    " extends ",
    runtime(code, "MessageView"),
    typed(code, "<", code.symbols.shape(message), ">"),
    " {",
  );
  emitLayoutOf(code);
  for (const member of message.members) {
    const type = member.kind === "oneof" ? oneofType(code, member) : fieldType(code, member);
    if (isDeclared) {
      f.print(`  get ${member.localName}(): `, type, ";");
      continue;
    }
    f.print(
      "  ",
      overriding(code, member.localName),
      `get ${member.localName}()`,
      typed(code, ": ", type),
      " {",
    );
    if (member.kind === "oneof") readOneof(code, member);
    else readField(code, member);
    f.print("  }");
  }
  f.print("}");
  f.print();
}

/** What every object has must be overridden by that word. */
export function overriding({ target }: MessageCode, name: string): string {
  return target === "ts" && name in Object.prototype ? "override " : "";
}

/** Prints the static property by which a class is known to be one of the message. */
export function emitLayoutOf(code: MessageCode): void {
  const { f, target } = code;
  const type = typed(code, ": ", f.import("MessageLayout", CONTRACT, true));
  const value: Code = target === "dts" ? "" : [" = ", constantOf(code, "layout")];
  f.print("  static ", typed(code, "readonly "), "layout", type, value, ";");
}

/** As the property of the message has it, with views in place of messages. */
function fieldType(code: MessageCode, field: DescField): Code {
  if (field.message === undefined || holdsPlainValue(field)) return memberType(code, field.localName);
  const view = inPlaceClass(code, field.message, "View");
  switch (field.fieldKind) {
    case "list":
      return [view, "[]"];
    case "map":
      return [`{ [key: ${keyKind(field).zero === "0" ? "number" : "string"}]: `, view, " }"];
    default:
      return [view, " | undefined"];
  }
}

function oneofType(code: MessageCode, { fields }: DescOneof): Code {
  const cases = fields.flatMap((field): Code[] => {
    const isMessage = field.message !== undefined && !holdsPlainValue(field);
    const value = isMessage ? inPlaceClass(code, field.message, "View") : valueType(code, field);
    return [`{ case: ${JSON.stringify(field.localName)}; value: `, value, " } | "];
  });
  return [cases, "{ case: undefined; value?: undefined }"];
}

function readField(code: MessageCode, field: DescField): void {
  const { f } = code;
  const print = (...value: Code[]): void => f.print("    return ", value, ";");
  const call = (name: string, ...more: Code[]): Code => [
    runtime(code, name),
    `(this, ${field.number}, `,
    more,
    ")",
  ];
  switch (field.fieldKind) {
    case "scalar":
    case "enum":
      readSingular(code, field);
      return;
    case "message": {
      const view = call("readView", inPlaceClass(code, field.message, "View"));
      switch (messageForm(field, field.message)) {
        case "message":
          print(view);
          return;
        case "wrapper":
          print(view, "?.value");
          return;
        case "json":
          f.print("    const view = ", view, ";");
          print("view && ", runtime(code, "structOf"), "(view)");
          return;
      }
      return;
    }
    case "list":
      print(readList(code, field, call));
      return;
    case "map":
      print(readMap(code, field, call));
      return;
  }
}

type Call = (name: string, ...more: Code[]) => Code;

function readList(code: MessageCode, field: DescField & { fieldKind: "list" }, call: Call): Code {
  if (field.listKind === "message") {
    const views = call("readViews", inPlaceClass(code, field.message, "View"));
    return holdsPlainValue(field) ? [views, ".map(", runtime(code, "structOf"), ")"] : views;
  }
  const kind = valueKind(field);
  const read = runtime(code, kind.read);
  if (SCALAR_WITHOUT_PACKING.has(kind.read)) return call("readList", read);
  const packed: Code = kind.hasPacked ? [", ", runtime(code, packedFunctions(kind).read)] : "";
  const numbers = call("readNumbers", read, packed);
  if (field.listKind === "enum") return [numbers, typed(code, " as ", memberType(code, field.localName))];
  return isLongString(field) ? [numbers, ".map(", code.scope.local("String"), ")"] : numbers;
}

function readMap(code: MessageCode, field: DescField & { fieldKind: "map" }, call: Call): Code {
  const { read: readKey } = keyKind(field);
  const keys = `${readKey[4]!.toLowerCase()}${readKey.slice(5)}Keys`;
  if (field.mapKind === "message") {
    const views = call("readViewMap", runtime(code, keys), ", ", inPlaceClass(code, field.message, "View"));
    if (!holdsPlainValue(field)) return views;
    return [runtime(code, "mapValues"), "(", views, ", ", runtime(code, "structOf"), ")"];
  }
  const { read, check, zero } = valueKind(field);
  const absent: Code =
    field.mapKind === "enum"
      ? `${field.enum.values[0]!.number}`
      : check === "boundOfBytes"
        ? runtime(code, "noBytes")
        : zero;
  const type = field.mapKind === "enum" ? typed(code, " as ", memberType(code, field.localName)) : "";
  return [call("readMap", runtime(code, keys), ", ", runtime(code, read), ", ", absent), type];
}

function readSingular(code: MessageCode, field: DescField & { fieldKind: "scalar" | "enum" }): void {
  const { f } = code;
  const { check, zero } = valueKind(field);
  const type = memberType(code, field.localName);
  const at = field.number;
  f.print("    const at = ", runtime(code, "spanOf"), "(this);");
  if (isAlwaysThere(field)) {
    const initial = check === "boundOfBytes" ? runtime(code, "noBytes") : zero;
    f.print("    let found", typed(code, ": ", type), " = ", initial, ";");
  } else {
    f.print("    let found", typed(code, ": ", type, " | undefined"), ";");
  }
  const seek = runtime(code, "seekField");
  const cursor = runtime(code, "cursor");
  f.print(
    "    for (let pos = ",
    seek,
    `(at, ${at}, at.start); pos >= 0; pos = `,
    seek,
    `(at, ${at}, `,
    cursor,
    ".pos)) {",
  );
  assign(code, field, "      ", (value) => [["found = ", value]]);
  f.print("    }");
  if (isAlwaysThere(field) || !code.hasPrototype) {
    f.print("    return found;");
    return;
  }
  const defaultOf: Code = [constantOf(code, "layout"), ".defaultOf(", JSON.stringify(field.localName), ")"];
  f.print("    return found ?? ", typed(code, "("), defaultOf, typed(code, " as ", type, ")"), ";");
}

/** Prints the reading of a value that is no message. A closed enum's other numbers leave things as they were. */
function assign(code: MessageCode, field: DescField, indent: string, to: (value: Code) => Code[]): void {
  const { f } = code;
  const kind = valueKind(field);
  const read: Code = [
    runtime(code, kind.read),
    kind.hasLength ? "(at.bytes, pos, at.end)" : "(at.bytes, pos)",
  ];
  if (field.enum === undefined) {
    const value = isLongString(field) ? [code.scope.local("String"), "(", read, ")"] : read;
    for (const statement of to(value)) f.print(indent, statement, ";");
    return;
  }
  const cast = typed(code, " as ", code.symbols.shape(field.enum));
  if (field.enum.open) {
    for (const statement of to([read, cast])) f.print(indent, statement, ";");
    return;
  }
  f.print(indent, "const value = ", read, ";");
  f.print(indent, "if (", isValueOf(field.enum), ") {");
  for (const statement of to(["value", cast])) f.print(indent, "  ", statement, ";");
  f.print(indent, "}");
}

/** A message of a oneof is merged with those before it as long as no other member comes between. */
function readOneof(code: MessageCode, oneof: DescOneof): void {
  const { f, name } = code;
  const hasViews = oneof.fields.some(({ message }) => message !== undefined);
  const next = runtime(code, "nextField");
  const found = typed(code, `: ${name}View[`, JSON.stringify(oneof.localName), "]");
  f.print("    const at = ", runtime(code, "spanOf"), "(this);");
  f.print("    let found", found, " = { case: undefined };");
  if (hasViews) {
    f.print("    let which = 0;");
    f.print("    let parts", typed(code, ": ", f.import("Parts", CONTRACT, true), " | undefined"), ";");
  }
  f.print(
    "    for (let pos = ",
    next,
    "(at, at.start); pos >= 0; pos = ",
    next,
    "(at, ",
    runtime(code, "cursor"),
    ".pos)) {",
  );
  f.print("      switch (at.tag >>> 3) {");
  for (const field of oneof.fields) {
    const { number, message } = field;
    f.print(`        case ${number}: {`);
    if (message === undefined) {
      const set = (value: Code): Code[] => [
        ...(hasViews ? [`which = ${number}`] : []),
        [`found = { case: ${JSON.stringify(field.localName)}, value: `, value, " }"],
      ];
      assign(code, field, "          ", set);
    } else {
      const before = `which === ${number} ? parts : undefined`;
      f.print("          parts = ", runtime(code, "addPart"), `(at, ${before}, pos);`);
      f.print(`          which = ${number};`);
    }
    f.print("          break;");
    f.print("        }");
  }
  f.print("        default:");
  f.print("          ", runtime(code, "passOver"), "(at, pos);");
  f.print("      }");
  f.print("    }");
  if (hasViews) printViews(code, oneof);
  f.print("    return found;");
}

function printViews(code: MessageCode, oneof: DescOneof): void {
  const { f } = code;
  f.print("    switch (which) {");
  for (const field of oneof.fields) {
    if (field.message === undefined) continue;
    const type = inPlaceClass(code, field.message, "View");
    const view: Code = [runtime(code, "viewOfParts"), "(at, parts", typed(code, "!"), ", ", type, ")"];
    const value: Code = holdsPlainValue(field) ? [runtime(code, "structOf"), "(", view, ")"] : view;
    f.print(`      case ${field.number}:`);
    f.print(`        return { case: ${JSON.stringify(field.localName)}, value: `, value, " };");
  }
  f.print("    }");
}
