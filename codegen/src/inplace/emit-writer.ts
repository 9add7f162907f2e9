import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { type Code, type MessageCode, runtime, typed } from "../codec/code.js";
import { keyKind } from "../codec/scalars.js";
import { emitLayoutOf, overriding } from "./emit-view.js";
import {
  fieldKind,
  holdsPlainValue,
  inPlaceClass,
  isGroup,
  kindOf,
  scalarType,
  valueType,
} from "./inplace-code.js";
import { type WriterVerb, writerNames } from "./writer-names.js";

/** Prints the class whose setters write the fields of a message. */
export function emitWriter(code: MessageCode): void {
  const { f, message, name, target } = code;
  f.print("/** Writes ", message.typeName, " where it will be read. */");
  f.print(
    target === "dts" ? f.export("declare class", `${name}Writer`) : f.export("class", `${name}Writer`),
    " extends ",
    runtime(code, "MessageWriter"),
    typed(code, "<", code.symbols.shape(message), ">"),
    " {",
  );
  emitLayoutOf(code);
  const names = writerNames(message, verbsOf, hasAccessor);
  for (const field of message.fields) {
    if (hasAccessor(field)) {
      const value = parameter(code, "value", valueType(code, field));
      const accessor: Code = [overriding(code, names(field)), "set ", names(field)];
      printMember(code, accessor, [value], undefined, putValue(code, field));
    }
    for (const verb of verbsOf(field)) emitMethod(code, field, verb, names(field, verb));
  }
  f.print("}");
  f.print();
}

function hasAccessor(field: DescField): boolean {
  if (field.fieldKind === "list" || field.fieldKind === "map") return false;
  return field.message === undefined || holdsPlainValue(field);
}

function verbsOf(field: DescField): WriterVerb[] {
  const verbs: WriterVerb[] = [];
  if (field.fieldKind === "map") verbs.push("put");
  else if (field.fieldKind === "list") verbs.push("add");
  else if (!hasAccessor(field)) verbs.push("set");
  if (field.fieldKind === "list" && field.listKind !== "message" && field.packed) verbs.push("setAll");
  if (field.fieldKind !== "map" && field.scalar === ScalarType.BYTES) verbs.push("reserve", "trim");
  return verbs;
}

function emitMethod(code: MessageCode, field: DescField, verb: WriterVerb, name: string): void {
  const byteCount = parameter(code, "byteCount", "number");
  switch (verb) {
    case "reserve":
      printMember(code, name, [byteCount], code.scope.local("Uint8Array"), [
        "return ",
        call(code, "reserveBytes", field, "byteCount"),
      ]);
      return;
    case "trim":
      printMember(code, name, [byteCount], "void", call(code, "trimBytes", field, "byteCount"));
      return;
    case "setAll": {
      const values = parameter(code, "values", [
        code.scope.local("Iterable"),
        "<",
        valueType(code, field),
        ">",
      ]);
      const kind = fieldKind(code, field);
      printMember(code, name, [values], "void", call(code, "putPacked", field, [kind, ", values"]));
      return;
    }
    case "put":
      emitPut(code, field as DescField & { fieldKind: "map" }, name);
      return;
    default:
      if (field.message !== undefined && !holdsPlainValue(field)) {
        const put = isGroup(field) ? "putGroup" : "putMessage";
        const writer = inPlaceClass(code, field.message, "Writer");
        printMember(
          code,
          name,
          [fill(code, field.message)],
          "void",
          call(code, put, field, [writer, ", fill"]),
        );
        return;
      }
      printMember(
        code,
        name,
        [parameter(code, "value", valueType(code, field))],
        "void",
        putValue(code, field),
      );
  }
}

function emitPut(code: MessageCode, field: DescField & { fieldKind: "map" }, name: string): void {
  const key = parameter(code, "key", scalarType(code, field.mapKey));
  const keys = kindOf(code, keyKind(field).read);
  if (field.message !== undefined && !holdsPlainValue(field)) {
    const writer = inPlaceClass(code, field.message, "Writer");
    printMember(
      code,
      name,
      [key, fill(code, field.message)],
      "void",
      call(code, "putMessageEntry", field, [keys, ", key, ", writer, ", fill"]),
    );
    return;
  }
  const value = parameter(code, "value", valueType(code, field));
  const kind = fieldKind(code, field);
  printMember(
    code,
    name,
    [key, value],
    "void",
    call(code, "putEntry", field, [keys, ", key, ", kind, ", value"]),
  );
}

function putValue(code: MessageCode, field: DescField): Code {
  return call(code, "putValue", field, [fieldKind(code, field), ", value"]);
}

function fill(code: MessageCode, message: DescMessage): Code {
  return parameter(code, "fill", ["(message: ", inPlaceClass(code, message, "Writer"), ") => void"]);
}

function parameter(code: MessageCode, name: string, type: Code): Code {
  return [name, typed(code, ": ", type)];
}

/** The call of a function of the runtime that writes the field. */
function call(code: MessageCode, name: string, field: DescField, rest: Code): Code {
  return [runtime(code, name), `(this, ${JSON.stringify(field.name)}, ${field.number}, `, rest, ")"];
}

/** `result`: what a method returns; an accessor has none. */
function printMember(
  code: MessageCode,
  name: Code,
  parameters: readonly Code[],
  result: Code | undefined,
  body: Code,
): void {
  const { f, target } = code;
  const list = parameters.flatMap((each, index): Code[] => (index === 0 ? [each] : [", ", each]));
  const head: Code = ["  ", name, "(", list, ")", result === undefined ? "" : typed(code, ": ", result)];
  if (target === "dts") {
    f.print(head, ";");
    return;
  }
  f.print(head, " {");
  f.print("    ", body, ";");
  f.print("  }");
}
