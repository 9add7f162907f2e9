import { varintSize, writePaddedVarint } from "../../wire/varint.js";
import { writeVarint32 } from "../generated/write.js";
import { checkValue, tagOf } from "./put.js";
import { sizeOfVarint32 } from "./sizes.js";
import type { ValueKind } from "./value-kinds.js";
import {
  checkRequired,
  markSet,
  type MessageWriter,
  type Page,
  roomFor,
  turnOf,
  type WriterType,
} from "./writer.js";

// A message within another one is written by a callback. Its length stands before it and is not known yet: it gets as many
// bytes as the room that is left may need, so that nothing moves when it is known, and what was reserved stays where it is.

const LENGTH_DELIMITED = 2;
const START_GROUP = 3;
const END_GROUP = 4;

/** Fills a message in. It is over when it returns. */
export type Fill<Writer> = (message: Writer) => void;

/** Writes a message, of a singular field or one more of a repeated field. */
export function putMessage<Writer>(
  writer: MessageWriter,
  name: string,
  number: number,
  type: WriterType<Writer>,
  fill: Fill<Writer>,
): void {
  const page = turnOf(writer);
  const start = page.pos;
  checkFill(name, fill);
  const tag = tagOf(number, LENGTH_DELIMITED);
  const lengthBytes = lengthBytesFor(page);
  roomFor(writer, name, sizeOfVarint32(tag) + lengthBytes);
  putSized(page, writeVarint32(page.bytes, start, tag), lengthBytes, () => {
    fillIn(writer, page, start, type, fill);
  });
  markSet(writer, name);
}

/** As `putMessage`, for a group. */
export function putGroup<Writer>(
  writer: MessageWriter,
  name: string,
  number: number,
  type: WriterType<Writer>,
  fill: Fill<Writer>,
): void {
  const page = turnOf(writer);
  const start = page.pos;
  checkFill(name, fill);
  const tagBytes = sizeOfVarint32(tagOf(number, START_GROUP));
  roomFor(writer, name, 2 * tagBytes);
  page.pos = writeVarint32(page.bytes, start, tagOf(number, START_GROUP));
  page.end -= tagBytes;
  try {
    fillIn(writer, page, start, type, fill);
  } finally {
    page.end += tagBytes;
  }
  page.pos = writeVarint32(page.bytes, page.pos, tagOf(number, END_GROUP));
  markSet(writer, name);
}

/** Writes an entry of a map whose value is no message. */
export function putEntry<Key, T>(
  writer: MessageWriter,
  name: string,
  number: number,
  keys: ValueKind<Key>,
  key: Key,
  kind: ValueKind<T>,
  value: T,
): void {
  turnOf(writer);
  checkValue(writer, name, keys, key);
  checkValue(writer, name, kind, value);
  const tag = tagOf(number, LENGTH_DELIMITED);
  const size = 2 + keys.size(key) + kind.size(value);
  const page = roomFor(writer, name, sizeOfVarint32(tag) + sizeOfVarint32(size) + size);
  const { bytes } = page;
  let pos = writeVarint32(bytes, writeVarint32(bytes, page.pos, tag), size);
  pos = keys.write(bytes, writeVarint32(bytes, pos, tagOf(1, keys.wireType)), key);
  page.pos = kind.write(bytes, writeVarint32(bytes, pos, tagOf(2, kind.wireType)), value);
}

/** Writes an entry of a map whose value is a message. */
export function putMessageEntry<Key, Writer>(
  writer: MessageWriter,
  name: string,
  number: number,
  keys: ValueKind<Key>,
  key: Key,
  type: WriterType<Writer>,
  fill: Fill<Writer>,
): void {
  const page = turnOf(writer);
  const start = page.pos;
  checkFill(name, fill);
  checkValue(writer, name, keys, key);
  const tag = tagOf(number, LENGTH_DELIMITED);
  const lengthBytes = lengthBytesFor(page);
  roomFor(writer, name, sizeOfVarint32(tag) + 2 * lengthBytes + 2 + keys.size(key));
  const { bytes } = page;
  putSized(page, writeVarint32(bytes, start, tag), lengthBytes, () => {
    const pos = keys.write(bytes, writeVarint32(bytes, page.pos, tagOf(1, keys.wireType)), key);
    putSized(page, writeVarint32(bytes, pos, tagOf(2, LENGTH_DELIMITED)), lengthBytes, () => {
      fillIn(writer, page, start, type, fill);
    });
  });
}

function checkFill(name: string, fill: unknown): void {
  if (typeof fill !== "function") throw new TypeError(`${name} takes a function that fills the message in`);
}

function lengthBytesFor(page: Page): number {
  return varintSize(page.end - page.pos);
}

/** Leaves room for a length at `pos`, has what it belongs to written behind it, and writes it. */
function putSized(page: Page, pos: number, lengthBytes: number, putContent: () => void): void {
  const contentStart = pos + lengthBytes;
  page.pos = contentStart;
  putContent();
  writePaddedVarint(page.bytes, pos, page.pos - contentStart, lengthBytes);
}

/** Has a callback write a message. Where it fails, all from `start` on is as if it had not been. */
function fillIn<Writer>(
  outer: MessageWriter,
  page: Page,
  start: number,
  type: WriterType<Writer>,
  fill: Fill<Writer>,
): void {
  const { reserved } = page;
  const message = new type(page);
  const inner = message as MessageWriter;
  page.active = inner;
  let isDone = false;
  try {
    const result: unknown = fill(message);
    if (isThenable(result)) {
      throw new TypeError(
        "a function that fills a message in cannot be async: the message is over when it returns",
      );
    }
    // The callback may have released the loan.
    turnOf(inner);
    checkRequired(inner);
    isDone = true;
  } finally {
    if (page.active !== undefined) page.active = outer;
    if (!isDone) {
      page.pos = start;
      page.reserved = reserved;
    }
  }
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && "then" in value;
}
