import type { DescField, DescFile, DescMessage } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import type { GeneratedFile, Target } from "@bufbuild/protoplugin";
import { type Code, type CodeFile, hasPrototype, type MessageCode, runtime, typed } from "../codec/code.js";
import { SCALAR_WITHOUT_PACKING } from "../codec/emit-read.js";
import type { CodecPlan } from "../codec/plan.js";
import { LENGTH_DELIMITED, messageForm, START_GROUP, valueKind } from "../codec/scalars.js";
import { createScope } from "../names.js";
import { createSymbols } from "../symbols.js";
import { emitView } from "./emit-view.js";
import { emitWriter } from "./emit-writer.js";
import {
  codecOf,
  constantOf,
  inPlaceClass,
  inPlacePath,
  isGroup,
  isHoisted,
  kindOf,
} from "./inplace-code.js";

const MAY_BE_PACKED = 8;

/** Prints the classes that read and write the messages of a file in place. */
export function emitInPlace(f: GeneratedFile, desc: DescFile, target: Target, plan: CodecPlan): void {
  const file: CodeFile = {
    f,
    desc,
    target,
    plan,
    scope: createScope(f, inPlacePath(desc.name)),
    symbols: createSymbols(f),
  };
  const { own, foreign, names, groups } = plan.files.get(desc)!;
  for (const message of [...own, ...foreign]) {
    const code: MessageCode = {
      ...file,
      message,
      name: names.get(message)!,
      isGroup: groups.has(message),
      hasPrototype: hasPrototype(message),
    };
    if (target !== "dts") {
      emitLayout(code);
      emitKinds(code);
    }
    emitView(code);
    emitWriter(code);
  }
}

function emitLayout(code: MessageCode): void {
  const { f, message } = code;
  const fields = message.fields.map((field) => `${field.number}, ${declaredForm(field)}`);
  f.print(
    "const ",
    constantOf(code, "layout"),
    typed(code, ": ", f.import("MessageLayout", "protoipc/codegen-v1", true)),
    " = /*@__PURE__*/ ",
    runtime(code, "layoutOf"),
    "(",
    codecOf(code, message),
    `, [${fields.join(", ")}]`,
    more(code),
    ");",
  );
  f.print();
}

function more(code: MessageCode): Code {
  const { f, message } = code;
  const parts: Code[] = [];
  const required = message.fields.filter(
    ({ presence }) => presence === FeatureSet_FieldPresence.LEGACY_REQUIRED,
  );
  if (required.length > 0) parts.push(["required: ", f.array(required.map(({ name }) => f.string(name)))]);
  if (code.hasPrototype) parts.push(["schema: ", code.symbols.schema(message)]);
  const groups = message.fields.filter(isGroup);
  if (groups.length > 0) {
    const pairs = groups.flatMap((field, index): Code[] => [
      index === 0 ? "" : ", ",
      `[${field.number}, `,
      inPlaceClass(code, field.message!, "View"),
      "]",
    ]);
    parts.push(["groups: () => [", pairs, "]"]);
  }
  if (parts.length === 0) return "";
  return [", { ", parts.flatMap((part, index): Code[] => (index === 0 ? [part] : [", ", part])), " }"];
}

/** The wire type that a decoder goes by, whatever the tag says. */
function declaredForm(field: DescField): number {
  if (field.fieldKind === "map") return LENGTH_DELIMITED;
  if (field.message !== undefined) return isGroup(field) ? START_GROUP : LENGTH_DELIMITED;
  const { wireType, read } = valueKind(field);
  return field.fieldKind === "list" && !SCALAR_WITHOUT_PACKING.has(read)
    ? wireType + MAY_BE_PACKED
    : wireType;
}

/** Prints the kinds of values that are made of others. */
function emitKinds(code: MessageCode): void {
  const { f, message } = code;
  const hoisted = message.fields.filter(isHoisted);
  for (const field of hoisted) {
    f.print(
      "const ",
      constantOf(code, `kind${field.number}`),
      " = /*@__PURE__*/ ",
      hoistedKind(code, field, field.message),
      ";",
    );
  }
  if (hoisted.length > 0) f.print();
}

function hoistedKind(code: MessageCode, field: DescField, message: DescMessage | undefined): Code {
  if (message === undefined)
    return [runtime(code, "textKind"), "(", kindOf(code, valueKind(field).read), ")"];
  if (messageForm(field, message) === "json")
    return [runtime(code, "structKind"), "(", codecOf(code, message), ")"];
  return [runtime(code, "wrapperKind"), "(", kindOf(code, valueKind(message.fields[0]!).read), ")"];
}
