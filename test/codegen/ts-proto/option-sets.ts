/** Options of ts-proto, and the module `values.ts` that the program beside its output then needs. */
export interface OptionSet {
  readonly title: string;
  readonly options: readonly string[];
  /** The largest 64-bit integer that its messages can hold. */
  readonly big: string;
  readonly values: string;
}

/** What every set has: types alone, and nothing that is not erasable. */
const SHARED = ["esModuleInterop=true", "importSuffix=.js", "outputServices=none", "enumsAsLiterals=true"];

const LARGEST_UINT64 = "18446744073709551615";

const LONGS = {
  number: `
export const int64 = (text: string): number => Number(text);
export const uint64: typeof int64 = int64;
`,
  bigint: `
export const int64 = (text: string): bigint => BigInt(text);
export const uint64: typeof int64 = int64;
`,
  string: `
export const int64 = (text: string): string => text;
export const uint64: typeof int64 = int64;
`,
  long: `
import Long from "long";
export const int64 = (text: string): Long => Long.fromString(text);
export const uint64 = (text: string): Long => Long.fromString(text, true);
`,
} as const;

const ONEOFS = {
  properties: `
export const signedNote = (text: string): { signedNote: string } => ({ signedNote: text });
`,
  unions: `
export const signedNote = (text: string): { proof: { $case: "signedNote"; signedNote: string } } => ({
  proof: { $case: "signedNote", signedNote: text },
});
`,
  "unions-value": `
export const signedNote = (text: string): { proof: { $case: "signedNote"; value: string } } => ({
  proof: { $case: "signedNote", value: text },
});
`,
} as const;

interface Choices {
  readonly title: string;
  readonly long?: keyof typeof LONGS;
  readonly oneof?: keyof typeof ONEOFS;
  readonly isNode?: boolean;
  readonly nothing?: "undefined" | "null";
  readonly options: readonly string[];
}

function optionSet(choices: Choices): OptionSet {
  const { title, long = "number", oneof = "properties", isNode = false, nothing = "undefined" } = choices;
  const bytes = isNode
    ? "export const bytes = (...values: number[]): Buffer => Buffer.from(values);"
    : "export const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);";
  return {
    title,
    options: [...SHARED, ...choices.options],
    big: long === "number" ? String(Number.MAX_SAFE_INTEGER) : LARGEST_UINT64,
    values: [
      LONGS[long],
      ONEOFS[oneof],
      bytes,
      // A Buffer is none of a publisher's rooms.
      `export const canLend: boolean = ${!isNode};`,
      `export const nothing = ${nothing};`,
    ].join("\n"),
  };
}

/** Each of the common options at least once, with each of its values, alone and together with others. */
export const OPTION_SETS: readonly OptionSet[] = [
  optionSet({ title: "no-options", options: [] }),
  optionSet({ title: "bigint", long: "bigint", options: ["forceLong=bigint"] }),
  optionSet({ title: "string", long: "string", options: ["forceLong=string", "useOptionals=messages"] }),
  optionSet({ title: "long", long: "long", options: ["forceLong=long"] }),
  optionSet({
    title: "unions",
    long: "bigint",
    oneof: "unions",
    options: ["oneof=unions", "forceLong=bigint", "useOptionals=messages"],
  }),
  optionSet({
    title: "unions-value",
    long: "long",
    oneof: "unions-value",
    options: ["oneof=unions-value", "forceLong=long", "useOptionals=all"],
  }),
  optionSet({
    title: "all-optional",
    long: "bigint",
    options: ["useOptionals=all", "forceLong=bigint", "outputJsonMethods=false", "unknownFields=true"],
  }),
  optionSet({
    title: "node",
    long: "bigint",
    isNode: true,
    options: ["env=node", "forceLong=bigint", "useExactTypes=false"],
  }),
  optionSet({
    title: "nulls",
    long: "long",
    oneof: "unions-value",
    nothing: "null",
    // Its exact types do not bear nulls under the strictest checks.
    options: ["useNullAsOptional=true", "forceLong=long", "oneof=unions-value", "useExactTypes=false"],
  }),
];
