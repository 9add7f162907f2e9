import type { DescField, DescMessage } from "@bufbuild/protobuf";

/** The options of ts-proto that change names. */
export interface TsProtoNaming {
  /** What stands between a file's name and its extension. */
  readonly fileSuffix: string;
  /** Whether the names of fields and messages are in camel case. */
  readonly snakeToCamel: boolean;
  /** Whether fields are called as in JSON. */
  readonly useJsonName: boolean;
  /** Whether an underscore stands between a message's name and that of the one that it is nested in. */
  readonly useSnakeTypeName: boolean;
  /** What stands before and behind a message's name. */
  readonly prefix: string;
  readonly suffix: string;
}

const FLAG: readonly string[] = ["true", "false"];

/** Those options under ts-proto's own names, and the values that they can have; `undefined`: any text. */
export const TS_PROTO_OPTIONS: ReadonlyMap<string, readonly string[] | undefined> = new Map([
  ["fileSuffix", undefined],
  ["snakeToCamel", [...FLAG, "keys", "json", "keys_json", "json_keys"]],
  ["useJsonName", FLAG],
  ["useSnakeTypeName", FLAG],
  ["typePrefix", undefined],
  ["typeSuffix", undefined],
  ["messagePrefix", undefined],
  ["messageSuffix", undefined],
]);

/** What ts-proto makes of its options; those that are not given have its defaults. */
export function tsProtoNaming(given: ReadonlyMap<string, string>): TsProtoNaming {
  const text = (key: string): string => given.get(key) ?? "";
  const snakeToCamel = given.get("snakeToCamel") ?? "true";
  return {
    fileSuffix: text("fileSuffix"),
    snakeToCamel: snakeToCamel === "true" || snakeToCamel.split("_").includes("keys"),
    useJsonName: given.get("useJsonName") === "true",
    useSnakeTypeName: given.get("useSnakeTypeName") !== "false",
    prefix: text("typePrefix") + text("messagePrefix"),
    suffix: text("messageSuffix") + text("typeSuffix"),
  };
}

/** The name that ts-proto gives to a message: its path below the package, each part in camel case. */
export function tsProtoMessageName(desc: DescMessage, naming: TsProtoNaming): string {
  const parts: string[] = [];
  for (let message: DescMessage | undefined = desc; message !== undefined; message = message.parent) {
    parts.unshift(caseOf(message.name, naming));
  }
  const name = naming.prefix + parts.join(naming.useSnakeTypeName ? "_" : "") + naming.suffix;
  return name === "Date" || name === "Function" ? `${name}Message` : name;
}

/** The name that ts-proto gives to a field. */
export function tsProtoFieldName(field: DescField, naming: TsProtoNaming): string {
  return naming.useJsonName ? field.jsonName : caseOf(field.name, naming);
}

/** Where ts-proto puts the messages of a file, as an import path. */
export function tsProtoModule(desc: DescMessage, naming: TsProtoNaming): string {
  return `./${desc.file.name}${naming.fileSuffix}.js`;
}

/** Camel case as ts-proto has it: unlike protobuf's, it lowers names that are all capitals. */
function caseOf(name: string, naming: TsProtoNaming): string {
  if (!naming.snakeToCamel || !name.includes("_")) return name;
  const words = (/[a-z]/.test(name) ? name : name.toLowerCase()).split("_");
  return words
    .map((word, index) => (index === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1)))
    .join("");
}
