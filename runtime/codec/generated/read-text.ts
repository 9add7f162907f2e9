import { privateCopy } from "../private-copy.js";
import { cursor } from "./cursor.js";
import { readEnd } from "./read.js";

// Memory that a peer may write to meanwhile is copied first, each byte once. A decoder, a native one above all, looks at
// what it reads more than once.

/** Longer texts are decoded by native code; shorter ones are done before native code is reached. */
const SHORT_TEXT = 24;

/** Shorter texts are made of their characters even where they could be parts. */
const PART = 8;

const { fromCharCode } = String;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strictDecoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/** Node's decoders, which take a range, so that no view has to be made. They never fail. */
type SliceDecoder = (this: Uint8Array, start: number, end: number) => string;
const { utf8Slice, latin1Slice }: { readonly utf8Slice?: SliceDecoder; readonly latin1Slice?: SliceDecoder } =
  (globalThis as { readonly Buffer?: { readonly prototype: object } }).Buffer?.prototype ?? {};

let copy = new Uint8Array(1_024);

/** A text of which every byte must be UTF-8. */
export function readString(bytes: Uint8Array, pos: number, end: number): string {
  return read(bytes, pos, end, true);
}

/** A text in which U+FFFD stands for bytes that are not UTF-8. */
export function readLooseString(bytes: Uint8Array, pos: number, end: number): string {
  return read(bytes, pos, end, false);
}

function read(bytes: Uint8Array, pos: number, end: number, isStrict: boolean): string {
  const stop = readEnd(bytes, pos, end);
  const start = cursor.pos;
  cursor.pos = stop;
  if (cursor.isPrivate) return decodeShort(bytes, start, stop, isStrict);
  const length = stop - start;
  if (length > copy.length) copy = new Uint8Array(2 * length);
  for (let i = 0; i < length; i++) copy[i] = bytes[start + i]!;
  return decodeShort(copy, 0, length, isStrict);
}

function decodeShort(bytes: Uint8Array, start: number, stop: number, isStrict: boolean): string {
  if (cursor.whole !== "" && stop - start > PART) return decodePart(bytes, start, stop, isStrict);
  if (stop - start > SHORT_TEXT) return decodeLong(bytes, start, stop, isStrict);
  let text = "";
  let next = start;
  for (; stop - next > 7; next += 8) {
    const a = bytes[next]!;
    const b = bytes[next + 1]!;
    const c = bytes[next + 2]!;
    const d = bytes[next + 3]!;
    const e = bytes[next + 4]!;
    const f = bytes[next + 5]!;
    const g = bytes[next + 6]!;
    const h = bytes[next + 7]!;
    if ((a | b | c | d | e | f | g | h) > 0x7f) return decode(bytes, start, stop, isStrict);
    text += fromCharCode(a, b, c, d, e, f, g, h);
  }
  if (stop - next > 3) {
    const a = bytes[next]!;
    const b = bytes[next + 1]!;
    const c = bytes[next + 2]!;
    const d = bytes[next + 3]!;
    if ((a | b | c | d) > 0x7f) return decode(bytes, start, stop, isStrict);
    text += fromCharCode(a, b, c, d);
    next += 4;
  }
  for (; next < stop; next++) {
    const a = bytes[next]!;
    if (a > 0x7f) return decode(bytes, start, stop, isStrict);
    text += fromCharCode(a);
  }
  return text;
}

/**
 * The second long text makes one text of all of the message, of which further ones are parts: a part costs a fraction of
 * a call of native code. It keeps the whole alive; so only small messages do that.
 */
function decodeLong(bytes: Uint8Array, start: number, stop: number, isStrict: boolean): string {
  if (cursor.end === 0 || latin1Slice === undefined || cursor.longTexts++ === 0) {
    return decode(bytes, start, stop, isStrict);
  }
  cursor.whole = latin1Slice.call(bytes, cursor.start, cursor.end);
  return decodePart(bytes, start, stop, isStrict);
}

function decodePart(bytes: Uint8Array, start: number, stop: number, isStrict: boolean): string {
  let all = 0;
  for (let i = start; i < stop; i++) all |= bytes[i]!;
  if (all > 0x7f) return decode(bytes, start, stop, isStrict);
  return cursor.whole.substring(start - cursor.start, stop - cursor.start);
}

function decode(bytes: Uint8Array, start: number, stop: number, isStrict: boolean): string {
  if (utf8Slice !== undefined) {
    // U+FFFD stands for what is not UTF-8.
    const text = utf8Slice.call(bytes, start, stop);
    if (!isStrict || !text.includes("\ufffd")) return text;
  }
  return (isStrict ? strictDecoder : decoder).decode(bytes.subarray(start, stop));
}

/** The value of a field of bytes that has none. It has no content that could be changed. */
export const noBytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** Bytes with a length: a view where that is allowed, else a copy. */
export function readBytes(bytes: Uint8Array, pos: number, end: number): Uint8Array {
  const stop = readEnd(bytes, pos, end);
  const start = cursor.pos;
  cursor.pos = stop;
  return cursor.mayAlias ? bytes.subarray(start, stop) : privateCopy(bytes, start, stop);
}
