import type { DescFile, DescMessage } from "@bufbuild/protobuf";
import type { GeneratedFile, Target } from "@bufbuild/protoplugin";
import { createScope } from "../names.js";
import { createSymbols } from "../symbols.js";
import {
  type CodeFile,
  codecPath,
  hasPrototype,
  initType,
  type MessageCode,
  messageFunction,
  runtime,
  typed,
} from "./code.js";
import { emitMeasure } from "./emit-measure.js";
import { emitRead } from "./emit-read.js";
import { emitWrite } from "./emit-write.js";
import type { CodecPlan } from "./plan.js";

/**
 * Prints the codecs of a file: three functions for each message, and what puts them together. `forAll`: also where only
 * the classes that read messages in place use it.
 */
export function emitCodecs(
  f: GeneratedFile,
  desc: DescFile,
  target: Target,
  plan: CodecPlan,
  forAll: boolean,
): void {
  const file: CodeFile = {
    f,
    desc,
    target,
    plan,
    scope: createScope(f, codecPath(desc)),
    symbols: createSymbols(f),
  };
  const { own, foreign, used, names, groups } = plan.files.get(desc)!;
  const codeOf = (message: DescMessage): MessageCode => ({
    ...file,
    message,
    name: names.get(message)!,
    isGroup: groups.has(message),
    hasPrototype: hasPrototype(message),
  });
  for (const message of own) emitMessage(codeOf(message), true, true);
  for (const message of foreign) emitMessage(codeOf(message), false, forAll || used.has(message));
}

function emitMessage(code: MessageCode, isOwn: boolean, hasCodec: boolean): void {
  if (code.target === "dts") {
    if (isOwn) declareFunctions(code);
  } else {
    emitMeasure(code, isOwn);
    emitWrite(code, isOwn);
    emitRead(code, isOwn);
  }
  if (hasCodec) emitCodec(code);
}

function declareFunctions(code: MessageCode): void {
  const { f, message, name, isGroup } = code;
  const init = initType(code, message);
  const bytes = code.scope.local("Uint8Array");
  f.print(f.export("declare function", `${name}$measure`), "(m: ", init, "): number;");
  f.print(
    f.export("declare function", `${name}$write`),
    "(m: ",
    init,
    ", bytes: ",
    bytes,
    ", pos: number): number;",
  );
  f.print(
    f.export("declare function", `${name}$read`),
    "(bytes: ",
    bytes,
    ", pos: number, end: number, depth: number",
    isGroup ? ", group?: number" : "",
    "): ",
    code.symbols.shape(message),
    ";",
  );
  f.print();
}

function emitCodec(code: MessageCode): void {
  const { f, message, name, target } = code;
  const type = [runtimeType(code), "<", initType(code, message), ", ", code.symbols.shape(message), ">"];
  f.print("/** Writes and reads ", message.typeName, ". */");
  if (target === "dts") {
    f.print(f.export("declare const", `${name}Codec`), ": ", type, ";");
  } else {
    f.print(
      f.export("const", `${name}Codec`),
      typed(code, ": ", type),
      " = /*@__PURE__*/ ",
      runtime(code, "generatedCodec"),
      "(",
      code.symbols.schema(message),
      ", ",
      messageFunction(code, message, "measure"),
      ", ",
      messageFunction(code, message, "write"),
      ", ",
      messageFunction(code, message, "read"),
      ");",
    );
  }
  f.print();
}

function runtimeType({ f }: CodeFile): ReturnType<GeneratedFile["import"]> {
  return f.import("Codec", "protoipc/codegen-v1", true);
}
