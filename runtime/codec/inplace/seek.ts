import { cursor } from "../generated/cursor.js";
import { decodeError } from "../generated/generated.js";
import { overrun } from "../generated/read.js";
import { passField, passGroup, tagAt } from "./layout.js";
import type { Span } from "./view.js";

// Positions are passed in and taken from the cursor, as in the decoders. A value that is cut off leaves one behind the end,
// which the next step finds.

/** The position after the tag of the field at `pos`, with the tag in the span; -1 at the end. */
export function nextField(at: Span, pos: number): number {
  if (pos >= at.end) {
    if (pos > at.end) throw overrun();
    return -1;
  }
  at.tag = tagAt(at.bytes, pos);
  return cursor.pos;
}

/** As `nextField`, for the next field with this number. */
export function seekField(at: Span, number: number, pos: number): number {
  for (pos = nextField(at, pos); pos >= 0 && at.tag >>> 3 !== number; pos = nextField(at, cursor.pos)) {
    passOver(at, pos);
  }
  return pos;
}

/** Leaves the position after the field that was found in the cursor. `pos`: after its tag. */
export function passOver(at: Span, pos: number): void {
  try {
    passField(at.layout, at.bytes, pos, at.end, at.tag, at.depth - 1);
  } catch (error) {
    throw decodeError(error, at.outermost, at.maxNesting);
  }
}

/** Passes over the group that was found, and returns where its fields end. */
export function passOverGroup(at: Span, pos: number): number {
  const number = at.tag >>> 3;
  try {
    return passGroup(at.layout.groups().get(number)!, at.bytes, pos, at.end, number, at.depth - 1);
  } catch (error) {
    throw decodeError(error, at.outermost, at.maxNesting);
  }
}
