import { cursor } from "../generated/cursor.js";
import { decodeError } from "../generated/generated.js";
import { setEntry } from "../generated/json-struct.js";
import {
  overrun,
  readBool,
  readEnd,
  readFixed32,
  readFixed64,
  readInt32,
  readInt64,
  readSfixed32,
  readSfixed64,
  readSint32,
  readSint64,
  readUint32,
  readUint64,
} from "../generated/read.js";
import { readLooseString, readString } from "../generated/read-text.js";
import { skip } from "../generated/unknown.js";
import { tagAt } from "./layout.js";
import type { ReadValue } from "./read-lists.js";
import { type Parts, viewOfParts } from "./read-messages.js";
import { seekField } from "./seek.js";
import { type MessageView, type Span, spanOf, type ViewType, viewWithin } from "./view.js";

const KEY = 1;
const VALUE = 2;

/** How the keys of a map are read, and which one an entry has that names none. */
export interface MapKeys {
  readonly read: ReadValue<string | number | bigint | boolean>;
  readonly zero: string;
}

export const stringKeys: MapKeys = { read: readString, zero: "" };
export const looseStringKeys: MapKeys = { read: readLooseString, zero: "" };
export const boolKeys: MapKeys = { read: readBool, zero: "false" };
export const int32Keys: MapKeys = { read: readInt32, zero: "0" };
export const int64Keys: MapKeys = { read: readInt64, zero: "0" };
export const uint32Keys: MapKeys = { read: readUint32, zero: "0" };
export const uint64Keys: MapKeys = { read: readUint64, zero: "0" };
export const sint32Keys: MapKeys = { read: readSint32, zero: "0" };
export const sint64Keys: MapKeys = { read: readSint64, zero: "0" };
export const fixed32Keys: MapKeys = { read: readFixed32, zero: "0" };
export const fixed64Keys: MapKeys = { read: readFixed64, zero: "0" };
export const sfixed32Keys: MapKeys = { read: readSfixed32, zero: "0" };
export const sfixed64Keys: MapKeys = { read: readSfixed64, zero: "0" };

/** A map of values that are no messages. */
export function readMap<T>(
  view: MessageView,
  number: number,
  keys: MapKeys,
  read: ReadValue<T>,
  zero: T,
): { [key: string]: T } {
  return readEntries<T, T>(
    view,
    number,
    keys,
    (at, pos, stop) => read(at.bytes, pos, stop),
    (_, value) => value ?? zero,
  );
}

/** A map of messages. */
export function readViewMap<View>(
  view: MessageView,
  number: number,
  keys: MapKeys,
  type: ViewType<View>,
): { [key: string]: View } {
  return readEntries<Parts, View>(view, number, keys, addValue, (at, parts) =>
    parts === undefined ? viewWithin(at, type, at.bytes, at.start, at.start) : viewOfParts(at, parts, type),
  );
}

function addValue(at: Span, pos: number, stop: number, parts: Parts | undefined): Parts {
  const end = readEnd(at.bytes, pos, stop);
  const start = cursor.pos;
  cursor.pos = end;
  if (parts === undefined) return [start, end];
  parts.push(start, end);
  return parts;
}

/** `add` reads a value, and is told of one before it in the same entry; `finish` makes of the last what the map holds. */
function readEntries<Read, T>(
  view: MessageView,
  number: number,
  { read, zero }: MapKeys,
  add: (at: Span, pos: number, stop: number, before: Read | undefined) => Read,
  finish: (at: Span, value: Read | undefined) => T,
): { [key: string]: T } {
  const at = spanOf(view);
  const map: { [key: string]: T } = {};
  for (let pos = seekField(at, number, at.start); pos >= 0; pos = seekField(at, number, cursor.pos)) {
    const stop = readEnd(at.bytes, pos, at.end);
    let key = zero;
    let value: Read | undefined;
    while (cursor.pos < stop) {
      const tag = tagAt(at.bytes, cursor.pos);
      if (tag >>> 3 === KEY) key = String(read(at.bytes, cursor.pos, stop));
      else if (tag >>> 3 === VALUE) value = add(at, cursor.pos, stop, value);
      else skipWithin(at, stop, tag);
    }
    if (cursor.pos > stop) throw overrun();
    setEntry(map, key, finish(at, value));
    cursor.pos = stop;
  }
  return map;
}

function skipWithin(at: Span, stop: number, tag: number): void {
  try {
    skip(at.bytes, cursor.pos, stop, tag, at.depth - 1);
  } catch (error) {
    throw decodeError(error, at.outermost, at.maxNesting);
  }
}

/** The values of a map, each made of what it was. */
export function mapValues<From, To>(
  map: { readonly [key: string]: From },
  change: (value: From) => To,
): { [key: string]: To } {
  const changed: { [key: string]: To } = {};
  for (const key of Object.keys(map)) setEntry(changed, key, change(map[key]!));
  return changed;
}
