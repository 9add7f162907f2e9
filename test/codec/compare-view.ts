import { isDeepStrictEqual } from "node:util";
import type { DescField, DescMessage, DescOneof, Message } from "@bufbuild/protobuf";
import { MessageView } from "../../runtime/codec/inplace/view.js";
import type { InPlacePair } from "./inplace-pairs.js";
import { checkEnds, join, rawFields } from "./raw-fields.js";

type Member = DescField | DescOneof;
type Values = Readonly<Record<string, unknown>>;

/**
 * How a view reads some bytes, beside the decoder. `overrun`: it refuses what protobuf-es reads on in. `hidden`: what is
 * wrong is in a message that another one has taken the place of, and that no getter reaches.
 */
export type ViewVerdict = "equal" | "refused" | "overrun" | "hidden";

const AROUND = 3;

/**
 * Reads bytes by a view, and compares each property with that of the decoded message, to the last one within. Where they do
 * not decode: reading all of the view must fail as well, and each getter must give what the fields that are its own decode
 * to, or fail where they do not, whatever is wrong elsewhere. Throws an error that says what is not so.
 */
export function compareView(pair: InPlacePair, bytes: Uint8Array): ViewVerdict {
  // Other bytes around it must not be read.
  const framed = new Uint8Array(bytes.length + 2 * AROUND).fill(0x0a);
  framed.set(bytes, AROUND);
  const view = new pair.view(framed, AROUND, AROUND + bytes.length);
  const decoded = attempt(() => pair.codec.decode(bytes, 0, bytes.length, false));
  if (decoded.value !== undefined) {
    const { value: message } = decoded;
    const { error } = attempt(() => sameMessage(view, message, pair.desc.typeName));
    if (error === undefined) {
      // What is decoded in one piece is the same message.
      if (!isDeepStrictEqual(view.$decode(), message)) throw new Error(`${pair.desc.typeName}: $decode`);
      return "equal";
    }
    if (attempt(() => checkEnds(pair.desc, bytes)).error !== undefined) return "overrun";
    throw new Error(`${String(error)}; bytes ${hex(bytes)}`);
  }
  if (attempt(() => readAll(view, pair.desc)).error === undefined) {
    if (mayHide(pair.desc)) return "hidden";
    throw new Error(`${pair.desc.typeName}: all is read, and decoding says ${decoded.error}; ${hex(bytes)}`);
  }
  for (const member of pair.desc.members) compareMember(pair, view, member, bytes);
  return "refused";
}

function compareMember(pair: InPlacePair, view: MessageView, member: Member, bytes: Uint8Array): void {
  const path = `${pair.desc.typeName}.${member.localName}`;
  const numbers = member.kind === "oneof" ? member.fields.map(({ number }) => number) : [member.number];
  const got = attempt(() => (view as unknown as Values)[member.localName]);
  const fields = attempt(() => rawFields(pair.desc, bytes));
  if (fields.value === undefined) {
    if (got.error === undefined) throw new Error(`${path} is read, where ${fields.error}; ${hex(bytes)}`);
    return;
  }
  const own = join(fields.value.filter(({ number }) => numbers.includes(number)));
  const decoded = attempt(() => pair.codec.decode(own, 0, own.length, false));
  if (decoded.value === undefined) {
    const all = attempt(() => readValue((view as unknown as Values)[member.localName], member));
    if (all.error === undefined && !mayHide(pair.desc))
      throw new Error(`${path} is read, where ${decoded.error}; ${hex(bytes)}`);
    return;
  }
  const expected = (decoded.value as unknown as Values)[member.localName];
  const same = attempt(() => {
    if (got.error !== undefined) throw got.error;
    sameValue(got.value, expected, path);
  });
  if (same.error !== undefined && attempt(() => checkEnds(pair.desc, own)).error === undefined) {
    throw new Error(`${String(same.error)}; bytes ${hex(bytes)}`);
  }
}

function sameMessage(view: MessageView, message: Message, path: string): void {
  const names = membersOf(view);
  for (const name of names) {
    sameValue((view as unknown as Values)[name], (message as unknown as Values)[name], `${path}.${name}`);
  }
  const others = Object.keys(message).filter((name) => !name.startsWith("$") && !names.includes(name));
  if (others.length > 0) throw new Error(`${path} has no getter ${others}`);
}

/** The getters of a view's class. */
function membersOf(view: MessageView): string[] {
  return Object.getOwnPropertyNames(Object.getPrototypeOf(view)).filter((name) => name !== "constructor");
}

/** Equal to the last property, with views in place of messages, and nowhere else. */
function sameValue(actual: unknown, expected: unknown, path: string): void {
  if (actual instanceof MessageView) {
    if (typeof expected !== "object" || expected === null || !Object.hasOwn(expected, "$typeName"))
      throw new Error(`${path} is a view instead of ${String(expected)}`);
    sameMessage(actual, expected as Message, path);
    return;
  }
  const isPlain = typeof actual === "object" && actual !== null && !(actual instanceof Uint8Array);
  if (!isPlain || typeof expected !== "object" || expected === null || isDeepStrictEqual(actual, expected)) {
    if (!isDeepStrictEqual(actual, expected))
      throw new Error(`${path}: ${text(actual)}, not ${text(expected)}`);
    return;
  }
  const keys = Object.keys(expected);
  if (!isDeepStrictEqual(Object.keys(actual), keys) || Array.isArray(actual) !== Array.isArray(expected))
    throw new Error(`${path} has ${Object.keys(actual)}, not ${keys}`);
  for (const key of keys) {
    const of = (value: object): unknown => Object.getOwnPropertyDescriptor(value, key)!.value;
    sameValue(of(actual), of(expected), `${path}.${key}`);
  }
}

/** Reads all that there is. */
function readAll(view: MessageView, desc: DescMessage): void {
  for (const member of desc.members) readValue((view as unknown as Values)[member.localName], member);
  if (desc.members.length === 0) view.$decode();
}

function readValue(value: unknown, member: Member): void {
  if (value instanceof MessageView) {
    const names = membersOf(value);
    for (const name of names) readValue((value as unknown as Values)[name], member);
    // Without fields it has no getter that walks over what is unknown.
    if (names.length === 0) value.$decode();
  } else if (Array.isArray(value)) {
    for (const item of value) readValue(item, member);
  } else if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
    for (const item of Object.values(value)) readValue(item, member);
  }
}

/** Whether a message within the type can take another one's place: as the value of a map, or as a member of a oneof. */
function mayHide(desc: DescMessage, seen: Set<DescMessage> = new Set()): boolean {
  if (seen.has(desc)) return false;
  seen.add(desc);
  return desc.fields.some(
    ({ message, fieldKind, oneof }) =>
      message !== undefined && (fieldKind === "map" || oneof !== undefined || mayHide(message, seen)),
  );
}

function attempt<T>(make: () => T): { readonly value?: T; readonly error?: unknown } {
  try {
    return { value: make() };
  } catch (error) {
    return { error: error ?? new Error("nothing was thrown") };
  }
}

function text(value: unknown): string {
  return typeof value === "bigint" ? `${value}n` : `${typeof value} ${String(value)}`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
