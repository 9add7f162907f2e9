import { TS_PROTO_OPTIONS, type TsProtoNaming, tsProtoNaming } from "./ts-proto-names.js";

/** Whose message types the generated code uses. */
export type MessageLibrary = "protobuf-es" | "ts-proto";

/** The plugin's own options, besides those of every plugin made with @bufbuild/protoplugin. */
export interface Options {
  readonly messages: MessageLibrary;
  /** How ts-proto names things, where the messages are its. */
  readonly tsProto: TsProtoNaming;
  /** Whether messages are written and read by code generated for them, or by protobuf-es, which reads their schema. */
  readonly codec: "generated" | "reflect";
  /** Which messages code is generated for: those that services use, or all of the files. */
  readonly codecMessages: "reachable" | "all";
  /** Whether each message that has a generated codec also has classes that read and write it in place. */
  readonly inPlace: boolean;
}

const LIBRARIES: readonly MessageLibrary[] = ["protobuf-es", "ts-proto"];
const CODECS: readonly Options["codec"][] = ["generated", "reflect"];
const CODEC_MESSAGES: readonly Options["codecMessages"][] = ["reachable", "all"];

const KNOWN_OPTIONS = [
  "messages",
  "codec",
  "codec_messages",
  "in_place",
  "target",
  "import_extension",
  "js_import_style",
  "keep_empty_files",
  "ts_nocheck",
  "elide_plugin_version",
  "rewrite_imports",
  "map_imports",
  ...TS_PROTO_OPTIONS.keys(),
];

const FLAG: readonly string[] = ["true", "false", "1", "0"];

/** The values of the options that @bufbuild/protoplugin reads; it refuses others without a word on what it takes. */
const KNOWN_VALUES: ReadonlyMap<string, readonly string[]> = new Map([
  ["import_extension", ["none", "js", "ts", ".js", ".ts", ""]],
  ["js_import_style", ["module", "legacy_commonjs"]],
  ["keep_empty_files", FLAG],
  ["ts_nocheck", FLAG],
  ["elide_plugin_version", FLAG],
]);

const TARGETS: readonly string[] = ["ts", "js", "dts"];

/**
 * Checks the values of the options that are not the plugin's own, in the parameter as the compiler passes it. Throws an
 * error that names the first wrong one, and the values that there are.
 */
export function checkSharedOptions(parameter: string): void {
  for (const option of parameter.split(",")) {
    const [key = "", ...rest] = option.split("=");
    const value = rest.join("=");
    if (key === "target") {
      for (const target of value.split("+")) {
        if (!TARGETS.includes(target)) throw unknownValue(option, key, target, TARGETS, ", joined with +");
      }
    } else {
      const known = KNOWN_VALUES.get(key);
      if (known?.includes(value) === false) throw unknownValue(option, key, value, known, "");
    }
  }
}

function unknownValue(
  option: string,
  key: string,
  value: string,
  known: readonly string[],
  more: string,
): Error {
  return new Error(`invalid option "${option}": ${describeUnknown(key, value, known)}${more}`);
}

function describeUnknown(key: string, value: string, known: readonly string[]): string {
  const shown = known.filter((name) => name !== "").join(", ");
  return `${key} is "${value}"${suggest(value, known)}; known values: ${shown}`;
}

/** Reads the plugin's own options. Throws an error that names the first option that is unknown or wrong. */
export function parseOptions(raw: readonly { readonly key: string; readonly value: string }[]): Options {
  let messages: MessageLibrary = "protobuf-es";
  const ofTsProto = new Map<string, string>();
  let codec: Options["codec"] | undefined;
  let codecMessages: Options["codecMessages"] | undefined;
  let inPlace = false;
  for (const { key, value } of raw) {
    if (TS_PROTO_OPTIONS.has(key)) {
      const values = TS_PROTO_OPTIONS.get(key);
      if (values?.includes(value) === false) throw new Error(describeUnknown(key, value, values));
      ofTsProto.set(key, value);
      continue;
    }
    switch (key) {
      case "messages":
        messages = oneOf(key, value, LIBRARIES);
        break;
      case "codec":
        codec = oneOf(key, value, CODECS);
        break;
      case "codec_messages":
        codecMessages = oneOf(key, value, CODEC_MESSAGES);
        break;
      case "in_place":
        inPlace = ["true", "1"].includes(oneOf(key, value, FLAG));
        break;
      default:
        throw new Error(
          `there is no option "${key}"${suggest(key, KNOWN_OPTIONS)}; known options: ${KNOWN_OPTIONS.join(", ")}`,
        );
    }
  }
  const [first] = ofTsProto.keys();
  if (first !== undefined && messages !== "ts-proto") {
    throw new Error(`${first} is an option of ts-proto, and goes with messages=ts-proto`);
  }
  if (messages === "ts-proto" && codec === "generated") {
    throw new Error(
      'codec is "generated", which is for messages=protobuf-es; ts-proto has codecs of its own',
    );
  }
  if (codecMessages !== undefined && (messages === "ts-proto" || codec === "reflect")) {
    throw new Error(
      `codec_messages is "${codecMessages}", but no codecs are generated; it is for codec=generated`,
    );
  }
  if (inPlace && (messages === "ts-proto" || codec === "reflect")) {
    throw new Error("in_place is true, but no codecs are generated; it is for codec=generated");
  }
  return {
    messages,
    tsProto: tsProtoNaming(ofTsProto),
    codec: codec ?? "generated",
    codecMessages: codecMessages ?? "reachable",
    inPlace,
  };
}

function oneOf<T extends string>(key: string, value: string, known: readonly T[]): T {
  const found = known.find((candidate) => candidate === value);
  if (found === undefined) throw new Error(describeUnknown(key, value, known));
  return found;
}

function suggest(given: string, known: readonly string[]): string {
  // One letter resembles everything.
  const nearest = known
    .filter((name) => name.length > 1)
    .map((name) => ({ name, distance: editDistance(given, name) }))
    .sort((a, b) => a.distance - b.distance)[0];
  if (nearest === undefined || nearest.distance > Math.ceil(nearest.name.length / 3)) return "";
  return `, did you mean "${nearest.name}"?`;
}

/** How many characters must be inserted, removed or replaced to get from one text to the other. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
