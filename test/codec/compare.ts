import { isDeepStrictEqual } from "node:util";
import { create, type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import type { Pair } from "./pairs.js";

// What protobuf-es does and what generated code does, side by side. Messages must be equal to the last property: names,
// prototypes, and unknown fields in their order.

/** Where the generated code differs from protobuf-es, and is meant to. */
export type Difference = "overrun" | "lostEnum";

/** How a pair decodes some bytes: alike, with a known difference, or not as it should (the text says what is wrong). */
export type Verdict =
  | { readonly is: "accepted" | "rejected" | Difference }
  | { readonly is: "wrong"; readonly text: string };

const AROUND = 5;

/** Encodes a message both ways. Throws an error that says what is not equal; returns the bytes. */
export function checkEncoding({ desc, codec }: Pair, message: Message): Uint8Array {
  const expected = toBinary(desc, message);
  checkBytes(desc, encode(codec, message), expected, "message");
  checkBytes(desc, codec.encode!(message), expected, "message in memory of its own");
  const init = initOf(message);
  const created = create(desc, init as Record<string, unknown>);
  checkBytes(desc, encode(codec, init), toBinary(desc, created), "init object");
  return expected;
}

function encode(codec: Pair["codec"], message: unknown): Uint8Array {
  const bound = codec.maxSize(message);
  const room = new Uint8Array(AROUND + bound + AROUND).fill(0xee);
  const end = codec.encodeInto(message, room, AROUND);
  if (end > AROUND + bound)
    throw new Error(`${codec.typeName}: ${end - AROUND} bytes, the bound is ${bound}`);
  const outside = [...room.subarray(0, AROUND), ...room.subarray(AROUND + bound)];
  if (outside.some((byte) => byte !== 0xee)) throw new Error(`${codec.typeName}: wrote outside of its room`);
  return room.subarray(AROUND, end);
}

function checkBytes(desc: DescMessage, actual: Uint8Array, expected: Uint8Array, what: string): void {
  if (Buffer.compare(actual, expected) === 0) return;
  throw new Error(`${desc.typeName}, ${what}: ${hex(actual)} instead of ${hex(expected)}`);
}

/** A message as a user writes it down: without what makes it a message. */
function initOf(value: unknown): unknown {
  if (value instanceof Uint8Array || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(initOf);
  const init: Record<string, unknown> = {};
  const isMessage = Object.hasOwn(value, "$typeName");
  for (const [key, inner] of Object.entries(value)) {
    if (isMessage && (key === "$typeName" || key === "$unknown")) continue;
    Object.defineProperty(init, key, {
      value: initOf(inner),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return init;
}

/** Decodes bytes both ways, all three ways that ours has: as a view, small or copied, and within other bytes. */
export function compareDecoding(pair: Pair, bytes: Uint8Array): Verdict {
  const expected = attempt(() => fromBinary(pair.desc, bytes));
  const framed = Uint8Array.from([0x08, 0xff, ...bytes, 0x08, 0x80]);
  const whole = attempt(() => pair.codec.decode(bytes, 0, bytes.length, true));
  const part = attempt(() => {
    const message = pair.codec.decode(framed, 2, 2 + bytes.length, false);
    framed.fill(0xaa);
    return message;
  });
  if (!isDeepStrictEqual(whole.message, part.message)) {
    return wrong(pair, bytes, `decoded as a view ${show(whole)}, within other bytes ${show(part)}`);
  }
  if (whole.message === undefined) {
    if (expected.message === undefined) return { is: "rejected" };
    if (String(whole.error).includes("behind the end of its message")) return { is: "overrun" };
    return wrong(pair, bytes, `rejected (${whole.error}), protobuf-es reads ${show(expected)}`);
  }
  if (expected.message === undefined) {
    return wrong(pair, bytes, `accepted, protobuf-es says ${expected.error}`);
  }
  if (isDeepStrictEqual(whole.message, expected.message)) return { is: "accepted" };
  if (hasClosedEnum(pair.desc)) {
    if (isDeepStrictEqual(withoutUnknown(whole.message), withoutUnknown(expected.message)))
      return { is: "lostEnum" };
  }
  return wrong(pair, bytes, firstDifference(whole.message, expected.message, ""));
}

interface Attempt {
  readonly message?: Message;
  readonly error?: unknown;
}

function attempt(decode: () => Message): Attempt {
  try {
    return { message: decode() };
  } catch (error) {
    return { error };
  }
}

function wrong({ desc }: Pair, bytes: Uint8Array, text: string): Verdict {
  return { is: "wrong", text: `${desc.typeName}: ${text}; bytes ${hex(bytes)}` };
}

function show({ message, error }: Attempt): string {
  if (message === undefined) return `nothing (${error})`;
  return JSON.stringify(message, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
}

/** Where two values differ, and how. */
function firstDifference(actual: unknown, expected: unknown, path: string): string {
  const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;
  if (isObject(actual) && isObject(expected)) {
    const keys = new Set([...Object.keys(actual), ...Object.keys(expected)]);
    for (const key of keys) {
      const mine: unknown = Object.getOwnPropertyDescriptor(actual, key)?.value;
      const theirs: unknown = Object.getOwnPropertyDescriptor(expected, key)?.value;
      if (!isDeepStrictEqual(mine, theirs)) return firstDifference(mine, theirs, `${path}.${key}`);
    }
    return `${path} has another prototype`;
  }
  return `${path} is ${String(actual)} (${typeof actual}) instead of ${String(expected)} (${typeof expected})`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

const closed = new Map<string, boolean>();

/** Whether the type's file has an enum that does not take every number. */
function hasClosedEnum({ file }: DescMessage): boolean {
  const known = closed.get(file.name);
  if (known !== undefined) return known;
  const files = [file, ...file.dependencies];
  const found = files.some((each) =>
    [...nestedTypes(each)].some((type) => type.kind === "enum" && !type.open),
  );
  closed.set(file.name, found);
  return found;
}

function withoutUnknown(value: unknown): unknown {
  if (value instanceof Uint8Array || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutUnknown);
  const copy = Object.create(Object.getPrototypeOf(value) as object | null) as Record<string, unknown>;
  for (const [key, inner] of Object.entries(value)) {
    if (key === "$unknown" && Object.hasOwn(value, "$typeName")) continue;
    Object.defineProperty(copy, key, {
      value: withoutUnknown(inner),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return copy;
}
