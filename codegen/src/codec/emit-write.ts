import type { DescField } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { type Code, initType, type MessageCode, messageFunction, runtime, typed } from "./code.js";
import { mapKey, mapValue, oneofLocal, toMessage, unknownOf } from "./emit-measure.js";
import {
  END_GROUP,
  isLongString,
  keyKind,
  LENGTH_DELIMITED,
  packedFunctions,
  START_GROUP,
  tagBytes,
  type ValueKind,
  valueKind,
} from "./scalars.js";

/** Prints the function that writes a message that was measured, field by field in the order of their numbers. */
export function emitWrite(code: MessageCode, exported: boolean): void {
  const { f, message, name } = code;
  const declaration = exported ? f.export("function", `${name}$write`) : `function ${name}$write`;
  f.print(
    declaration,
    "(m",
    typed(code, ": ", initType(code, message)),
    ", bytes",
    typed(code, ": ", code.scope.local("Uint8Array")),
    ", pos",
    typed(code, ": number"),
    ")",
    typed(code, ": number"),
    " {",
  );
  for (const oneof of message.oneofs) f.print(`  const ${oneofLocal(oneof)} = m.${oneof.localName};`);
  for (const field of [...message.fields].sort((a, b) => a.number - b.number)) writeField(code, field);
  f.print("  const unknown = ", unknownOf(code), ";");
  f.print(
    "  if (unknown !== undefined && m.$typeName !== undefined) pos = ",
    runtime(code, "writeUnknown"),
    "(bytes, pos, unknown);",
  );
  f.print("  return pos;");
  f.print("}");
  f.print();
}

function writeField(code: MessageCode, field: DescField): void {
  const { f } = code;
  if (field.oneof !== undefined) {
    const local = oneofLocal(field.oneof);
    f.print(`  if (${local} !== undefined && ${local}.case === ${JSON.stringify(field.localName)}) {`);
    writeSingular(code, field, `${local}.value`);
    f.print("  }");
    return;
  }
  const local = `f${field.number}`;
  f.print(`  const ${local} = m.${field.localName};`);
  switch (field.fieldKind) {
    case "scalar":
    case "enum":
    case "message":
      f.print("  if (", isSet(code, field, local), ") {");
      writeSingular(code, field, local);
      break;
    case "list":
      f.print(
        `  if (${local} !== undefined${field.fieldKind === "list" && field.packed ? ` && ${local}.length > 0` : ""}) {`,
      );
      writeList(code, field, local);
      break;
    case "map":
      f.print(`  if (${local} !== undefined) {`);
      writeMap(code, field, local);
      break;
  }
  f.print("  }");
}

function isSet(code: MessageCode, field: DescField, local: string): Code {
  const isGiven = `${local} !== undefined`;
  if (field.presence !== FeatureSet_FieldPresence.IMPLICIT) {
    if (!code.hasPrototype || field.fieldKind === "message") return isGiven;
    const own: Code = [runtime(code, "isOwn"), "(m, ", JSON.stringify(field.localName), ")"];
    return [isGiven, " && (m.$typeName === undefined || ", own, ")"];
  }
  if (field.fieldKind === "enum") {
    return [isGiven, ` && (${local}`, typed(code, " as number"), ") !== ", field.enum.values[0]!.number];
  }
  if (isLongString(field)) return [isGiven, " && ", code.scope.local("BigInt"), `(${local}) !== 0n`];
  const { zero, check } = valueKind(field);
  if (check === "boundOfBytes") return `${isGiven} && ${local}.length > 0`;
  // Minus zero is no zero value.
  if (check === "checkDouble" || check === "checkFloat") {
    return `${isGiven} && (${local} !== 0 || 1 / ${local} < 0)`;
  }
  return `${isGiven} && ${local} !== ${zero}`;
}

function printTag({ f }: MessageCode, indent: string, number: number, wireType: number): void {
  for (const byte of tagBytes(number, wireType)) f.print(indent, `bytes[pos++] = ${byte};`);
}

function writeSingular(code: MessageCode, field: DescField, value: Code): void {
  if (field.message !== undefined) {
    writeMessage(code, field, "    ", value);
    return;
  }
  const kind = valueKind(field);
  printTag(code, "    ", field.number, kind.wireType);
  code.f.print("    pos = ", writeValue(code, field, kind, value), ";");
}

function writeValue(code: MessageCode, field: DescField, kind: ValueKind, value: Code): Code {
  const converted: Code = isLongString(field) ? [code.scope.local("BigInt"), "(", value, ")"] : value;
  return [runtime(code, kind.write), "(bytes, pos, ", converted, ")"];
}

function writeMessage(code: MessageCode, field: DescField, indent: string, value: Code): void {
  const { f } = code;
  const write: Code = [
    messageFunction(code, field.message!, "write"),
    "(",
    toMessage(code, field, value),
    ", bytes, ",
  ];
  if ("delimitedEncoding" in field && field.delimitedEncoding === true) {
    printTag(code, indent, field.number, START_GROUP);
    f.print(indent, "pos = ", write, "pos);");
    printTag(code, indent, field.number, END_GROUP);
    return;
  }
  printTag(code, indent, field.number, LENGTH_DELIMITED);
  f.print(indent, "pos = ", runtime(code, "seal"), "(bytes, pos, ", write, "pos + 1));");
}

function writeList(code: MessageCode, field: DescField & { fieldKind: "list" }, local: string): void {
  const { f } = code;
  const item: Code = [`${local}[i]`, typed(code, "!")];
  const loop = `    for (let i = 0; i < ${local}.length; i++) {`;
  if (field.listKind === "message") {
    f.print(loop);
    writeMessage(code, field, "      ", item);
    f.print("    }");
    return;
  }
  const kind = valueKind(field);
  if (!field.packed) {
    f.print(loop);
    printTag(code, "      ", field.number, kind.wireType);
    f.print("      pos = ", writeValue(code, field, kind, item), ";");
    f.print("    }");
    return;
  }
  printTag(code, "    ", field.number, LENGTH_DELIMITED);
  if (kind.hasPacked) {
    const write = runtime(code, packedFunctions(kind).write);
    f.print("    pos = ", runtime(code, "seal"), "(bytes, pos, ", write, `(bytes, pos + 1, ${local}));`);
    return;
  }
  f.print("    const start = pos;");
  f.print("    pos += 1;");
  f.print(loop);
  f.print("      pos = ", writeValue(code, field, kind, item), ";");
  f.print("    }");
  f.print("    pos = ", runtime(code, "seal"), "(bytes, start, pos);");
}

function writeMap(code: MessageCode, field: DescField & { fieldKind: "map" }, local: string): void {
  const { f } = code;
  const keys = keyKind(field);
  f.print("    for (const key of ", code.scope.local("Object"), `.keys(${local})) {`);
  printTag(code, "      ", field.number, LENGTH_DELIMITED);
  f.print("      const start = pos;");
  f.print("      pos += 1;");
  printTag(code, "      ", 1, keys.wireType);
  f.print("      pos = ", runtime(code, keys.write), "(bytes, pos, ", mapKey(code, field), ");");
  const value: Code = [mapValue(code, local), typed(code, "!")];
  if (field.mapKind === "message") {
    printTag(code, "      ", 2, LENGTH_DELIMITED);
    const write = messageFunction(code, field.message, "write");
    f.print(
      "      pos = ",
      runtime(code, "seal"),
      "(bytes, pos, ",
      write,
      "(",
      toMessage(code, field, value),
      ", bytes, pos + 1));",
    );
  } else {
    const values = valueKind(field);
    printTag(code, "      ", 2, values.wireType);
    f.print("      pos = ", runtime(code, values.write), "(bytes, pos, ", value, ");");
  }
  f.print("      pos = ", runtime(code, "seal"), "(bytes, start, pos);");
  f.print("    }");
}
