import type { DescMessage } from "@bufbuild/protobuf";
import type { Codec } from "../codec.js";
import { prototypeOf } from "../generated/prototype.js";
import { cursor } from "../generated/cursor.js";
import { overrun, readTag, TooDeepError } from "../generated/read.js";
import { checkGroupEnd, skip } from "../generated/unknown.js";

// How a field is passed over. That depends on its declaration, and not on the wire type that its tag has: a decoder that
// knows the field reads what is declared.

const LENGTH_DELIMITED = 2;
const START_GROUP = 3;
const END_GROUP = 4;

/** Added to the wire type of a list whose values may come packed. */
const MAY_BE_PACKED = 8;

/** Fields of lower numbers are found in an array. */
const DENSE = 64;

/** What is known of a message besides what its class has as code. */
export interface MessageLayout {
  /** The message's full protobuf name. */
  readonly typeName: string;
  readonly codec: Codec<unknown, unknown>;
  /** The names of the fields that must be set. */
  readonly required: readonly string[];
  /** The wire types of the fields by their numbers, those above `DENSE` apart. */
  readonly low: readonly (number | undefined)[];
  readonly high: ReadonlyMap<number, number>;
  /** The layouts of the fields that are groups. */
  groups(): ReadonlyMap<number, MessageLayout>;
  /** What a message holds in a field that is not set, where its prototype has that. */
  defaultOf(localName: string): unknown;
}

/** What only some messages have. */
export interface LayoutMore {
  readonly required?: readonly string[];
  /** The classes of the fields that are groups. */
  readonly groups?: () => readonly (readonly [number, { readonly layout: MessageLayout }])[];
  /** Where messages have a prototype that holds the defaults of fields. */
  readonly schema?: DescMessage;
}

/** The layout of a message. `fields`: number and wire type of one field after the other. */
export function layoutOf(
  codec: Codec<unknown, unknown>,
  fields: readonly number[],
  more: LayoutMore = {},
): MessageLayout {
  const low: (number | undefined)[] = [];
  const high = new Map<number, number>();
  for (let i = 0; i < fields.length; i += 2) {
    const number = fields[i]!;
    if (number < DENSE) low[number] = fields[i + 1]!;
    else high.set(number, fields[i + 1]!);
  }
  let groups: ReadonlyMap<number, MessageLayout> | undefined;
  let prototype: object | undefined;
  return {
    typeName: codec.typeName,
    codec,
    required: more.required ?? [],
    low,
    high,
    groups() {
      groups ??= new Map(more.groups?.().map(([number, { layout }]) => [number, layout]));
      return groups;
    },
    defaultOf(localName) {
      prototype ??= prototypeOf(more.schema!);
      return (prototype as Record<string, unknown>)[localName];
    },
  };
}

/** Whether a field is read as a group. */
export function isGroup(layout: MessageLayout, number: number): boolean {
  return declaredOf(layout, number) === START_GROUP;
}

function declaredOf({ low, high }: MessageLayout, number: number): number | undefined {
  return number < DENSE ? low[number] : high.get(number);
}

/** Leaves the position after the field whose tag ends at `pos` in the cursor. `depth`: the levels left for groups. */
export function passField(
  layout: MessageLayout,
  bytes: Uint8Array,
  pos: number,
  end: number,
  tag: number,
  depth: number,
): void {
  const number = tag >>> 3;
  const declared = declaredOf(layout, number);
  if (declared === undefined) {
    skip(bytes, pos, end, tag, depth);
  } else if (declared === START_GROUP) {
    passGroup(layout.groups().get(number)!, bytes, pos, end, number, depth);
  } else {
    const isPacked = declared >= MAY_BE_PACKED && (tag & 7) === LENGTH_DELIMITED;
    skip(bytes, pos, end, (number << 3) | (isPacked ? LENGTH_DELIMITED : declared & 7), depth);
  }
}

/** Passes over a group of a known type. Returns where its fields end; the position after it is in the cursor. */
export function passGroup(
  layout: MessageLayout,
  bytes: Uint8Array,
  pos: number,
  end: number,
  number: number,
  depth: number,
): number {
  if (depth < 1) throw new TooDeepError();
  while (pos < end) {
    const start = pos;
    const tag = tagAt(bytes, pos);
    if ((tag & 7) === END_GROUP) {
      checkGroupEnd(tag, number);
      if (cursor.pos > end) throw overrun();
      return start;
    }
    passField(layout, bytes, cursor.pos, end, tag, depth - 1);
    pos = cursor.pos;
  }
  throw overrun();
}

/** Walks over all fields, to find out whether they are. */
export function checkFields(layout: MessageLayout, bytes: Uint8Array, depth: number): void {
  for (let pos = 0; pos < bytes.length; pos = cursor.pos) {
    const tag = tagAt(bytes, pos);
    passField(layout, bytes, cursor.pos, bytes.length, tag, depth - 1);
  }
}

/** The tag at `pos`; the position after it is in the cursor. */
export function tagAt(bytes: Uint8Array, pos: number): number {
  const tag = bytes[pos]!;
  if (tag > 0x7f || (tag & 6) === 6) return readTag(bytes, pos + 1, tag);
  cursor.pos = pos + 1;
  return tag;
}
