import type { JsonObject } from "@bufbuild/protobuf";
import type { Struct } from "@bufbuild/protobuf/wkt";
import { cursor } from "../generated/cursor.js";
import { decodeError } from "../generated/generated.js";
import { structToJson } from "../generated/json-struct.js";
import { readEnd } from "../generated/read.js";
import { checkFields, isGroup } from "./layout.js";
import { passOverGroup, seekField } from "./seek.js";
import { type MessageView, type Span, spanOf, type ViewType, viewWithin } from "./view.js";

/** Where the encodings stand that are one message together: from and to, one after the other. */
export type Parts = number[];

/** Adds the message that was found, whose tag ends at `pos`, to the parts. The position after it is in the cursor. */
export function addPart(at: Span, parts: Parts | undefined, pos: number): Parts {
  let start = pos;
  let end: number;
  if (isGroup(at.layout, at.tag >>> 3)) {
    end = passOverGroup(at, pos);
  } else {
    end = readEnd(at.bytes, pos, at.end);
    start = cursor.pos;
    cursor.pos = end;
  }
  if (parts === undefined) return [start, end];
  parts.push(start, end);
  return parts;
}

/** A view of what the parts are together. More than one are copied: one after the other they are one encoding. */
export function viewOfParts<View>(at: Span, parts: Parts, type: ViewType<View>): View {
  if (parts.length === 2) return viewWithin(at, type, at.bytes, parts[0]!, parts[1]!);
  const joined = joinParts(at, parts, type);
  return viewWithin(at, type, joined, 0, joined.length);
}

/** Each part must be whole: a field that begins in one must not end in the next. */
function joinParts<View>(at: Span, parts: Parts, { layout }: ViewType<View>): Uint8Array {
  let length = 0;
  for (let i = 0; i < parts.length; i += 2) length += parts[i + 1]! - parts[i]!;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (let i = 0; i < parts.length; i += 2) {
    const end = offset + parts[i + 1]! - parts[i]!;
    joined.set(at.bytes.subarray(parts[i]!, parts[i + 1]!), offset);
    try {
      checkFields(layout, joined.subarray(offset, end), at.depth - 1);
    } catch (error) {
      throw decodeError(error, at.outermost, at.maxNesting);
    }
    offset = end;
  }
  return joined;
}

/** The message of a field; `undefined` where it is not set. */
export function readView<View>(view: MessageView, number: number, type: ViewType<View>): View | undefined {
  const at = spanOf(view);
  let parts: Parts | undefined;
  for (let pos = seekField(at, number, at.start); pos >= 0; pos = seekField(at, number, cursor.pos)) {
    parts = addPart(at, parts, pos);
  }
  return parts && viewOfParts(at, parts, type);
}

/** The messages of a repeated field. */
export function readViews<View>(view: MessageView, number: number, type: ViewType<View>): View[] {
  const at = spanOf(view);
  const views: View[] = [];
  for (let pos = seekField(at, number, at.start); pos >= 0; pos = seekField(at, number, cursor.pos)) {
    views.push(viewOfParts(at, addPart(at, undefined, pos), type));
  }
  return views;
}

/** A google.protobuf.Struct as the JSON that protobuf-es holds in its place. */
export function structOf(view: MessageView<Struct>): JsonObject {
  return structToJson(view.$decode());
}
