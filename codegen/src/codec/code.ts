import type { DescFile, DescMessage } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import type { GeneratedFile, Printable, Target } from "@bufbuild/protoplugin";
import { CONTRACT } from "../message-types.js";
import type { Scope } from "../names.js";
import type { Symbols } from "../symbols.js";
import type { CodecPlan } from "./plan.js";

/** A part of a line; a list of them is a part, too. */
export type Code = Printable;

/** The file that is being written, and what its code is made of. */
export interface CodeFile {
  readonly f: GeneratedFile;
  readonly desc: DescFile;
  readonly target: Target;
  readonly scope: Scope;
  readonly plan: CodecPlan;
  readonly symbols: Symbols;
}

/** A message of the file. */
export interface MessageCode extends CodeFile {
  readonly message: DescMessage;
  /** What the names of its functions begin with. */
  readonly name: string;
  /** Whether it is read as a group somewhere. */
  readonly isGroup: boolean;
  /** Whether protobuf-es gives its messages a prototype that holds the defaults of fields. */
  readonly hasPrototype: boolean;
}

const EDITION_PROTO2 = 998;
const EDITION_PROTO3 = 999;

/** As protobuf-es decides it. */
export function hasPrototype({ file, fields }: DescMessage): boolean {
  if (file.edition === EDITION_PROTO3) return false;
  if (file.edition === EDITION_PROTO2) return true;
  return fields.some(
    ({ presence, fieldKind, oneof }) =>
      presence !== FeatureSet_FieldPresence.IMPLICIT && fieldKind !== "message" && oneof === undefined,
  );
}

/** A function or value of the runtime. */
export function runtime({ f }: CodeFile, name: string): Code {
  return f.import(name, CONTRACT);
}

export type MessageFunction = "measure" | "write" | "read";

/** A function of a message, of this file or another one. */
export function messageFunction(code: CodeFile, message: DescMessage, which: MessageFunction): Code {
  const { file, name } = code.plan.find(message, code.desc);
  return code.f.import(`${name}$${which}`, codecPath(file));
}

export function codecPath(file: DescFile): string {
  return `./${file.name}_codec.js`;
}

/** What only TypeScript has. */
export function typed({ target }: CodeFile, ...code: readonly Code[]): Code {
  return target === "js" ? "" : [...code];
}

/** The type that a message has when it is to be written. */
export function initType({ f, symbols }: CodeFile, message: DescMessage): Code {
  const schema = symbols.schema(message).toTypeOnly();
  return [f.import("MessageInitShape", "@bufbuild/protobuf", true), "<typeof ", schema, ">"];
}

/** The type of a property of the message. */
export function memberType({ symbols, message }: MessageCode, localName: string): Code {
  return [symbols.shape(message), "[", JSON.stringify(localName), "]"];
}
