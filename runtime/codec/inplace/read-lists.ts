import { cursor } from "../generated/cursor.js";
import { overrun, readEnd } from "../generated/read.js";
import { seekField } from "./seek.js";
import { type MessageView, spanOf } from "./view.js";

const LENGTH_DELIMITED = 2;

/** Reads a value that ends before `end`, and leaves the position after it in the cursor. */
export type ReadValue<T> = (bytes: Uint8Array, pos: number, end: number) => T;

/** Reads what a packed field holds, up to `stop`, and adds it to the list. */
export type ReadPacked<T> = (bytes: Uint8Array, pos: number, stop: number, list: T[]) => void;

/** The values of a repeated field that have a length each. */
export function readList<T>(view: MessageView, number: number, read: ReadValue<T>): T[] {
  const at = spanOf(view);
  const list: T[] = [];
  for (let pos = seekField(at, number, at.start); pos >= 0; pos = seekField(at, number, cursor.pos)) {
    list.push(read(at.bytes, pos, at.end));
  }
  return list;
}

/** The values of a repeated field that may come packed. */
export function readNumbers<T>(
  view: MessageView,
  number: number,
  read: ReadValue<T>,
  readPacked?: ReadPacked<T>,
): T[] {
  const at = spanOf(view);
  const list: T[] = [];
  for (let pos = seekField(at, number, at.start); pos >= 0; pos = seekField(at, number, cursor.pos)) {
    if ((at.tag & 7) !== LENGTH_DELIMITED) {
      list.push(read(at.bytes, pos, at.end));
      continue;
    }
    const stop = readEnd(at.bytes, pos, at.end);
    if (readPacked !== undefined) {
      readPacked(at.bytes, cursor.pos, stop, list);
      continue;
    }
    while (cursor.pos < stop) list.push(read(at.bytes, cursor.pos, stop));
    if (cursor.pos > stop) throw overrun();
  }
  return list;
}
