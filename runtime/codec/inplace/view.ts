import { IpcError } from "../../error.js";
import { cursor } from "../generated/cursor.js";
import { DEFAULT_NESTING, nestedTooDeep } from "../nesting.js";
import type { MessageLayout } from "./layout.js";

/** Where an encoded message stands, and how deep it is nested. Helpers of generated code walk over it. */
export interface Span {
  bytes: Uint8Array;
  start: number;
  end: number;
  /** The tag of the field that was found last. */
  tag: number;
  readonly layout: MessageLayout;
  /** The levels left, this one counted. */
  depth: number;
  /** The outermost message, whose name and limit errors tell. */
  outermost: string;
  maxNesting: number;
}

/**
 * An encoded message whose fields are read where it stands. Each getter walks over the message's own fields anew and
 * decodes the one that is asked for, as the property of the decoded message has it; messages within are views too, and
 * fields of bytes are views of the same memory. A getter throws what decoding throws: an `IpcError` RESOURCE_EXHAUSTED for
 * what is nested too deep, and any error for bytes that are not such a message, as far as it comes across them. Nothing is
 * copied and nothing kept: what changes in the bytes changes in the view.
 */
export abstract class MessageView<Message = unknown> {
  /** @hidden For generated code alone. */
  readonly $span: Span;

  /**
   * A view of the message in `bytes[start, end)`, all of them unless said, nested at most `maxNesting` deep, this message
   * counted; 100 unless said. Throws a `RangeError` for a part that the bytes do not have.
   */
  constructor(
    bytes: Uint8Array,
    start = 0,
    end: number = bytes.length,
    maxNesting: number = DEFAULT_NESTING,
  ) {
    checkRange(bytes, start, end);
    const { layout } = new.target as unknown as { readonly layout: MessageLayout };
    this.$span = {
      bytes,
      start,
      end,
      tag: 0,
      layout,
      depth: maxNesting,
      outermost: layout.typeName,
      maxNesting,
    };
  }

  /** The encoded message: a view of the same memory. Throws as the getters do where that is gone. */
  get $bytes(): Uint8Array {
    const { bytes, start, end } = spanOf(this);
    return bytes.subarray(start, end);
  }

  /**
   * Makes this a view of other bytes, without a new object. Views and arrays that were taken from it stay where they are.
   * Throws a `RangeError` for a part that the bytes do not have.
   */
  $bind(bytes: Uint8Array, start = 0, end: number = bytes.length): this {
    checkRange(bytes, start, end);
    const span = this.$span;
    span.bytes = bytes;
    span.start = start;
    span.end = end;
    return this;
  }

  /** The message, decoded and apart from the bytes. Throws what decoding throws. */
  $decode(): Message {
    const { bytes, start, end, layout, depth } = spanOf(this);
    return layout.codec.decode(bytes, start, end, false, depth) as Message;
  }
}

/** A generated class of views. */
export interface ViewType<View> {
  new (bytes: Uint8Array, start?: number, end?: number, maxNesting?: number): View;
  /** @hidden What generated code knows of the message. */
  readonly layout: MessageLayout;
}

function checkRange(bytes: Uint8Array, start: number, end: number): void {
  if (Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end && end <= bytes.length)
    return;
  throw new RangeError(`a view of [${start}, ${end}) is not within the ${bytes.length} bytes that there are`);
}

/**
 * What a view walks over. Its memory may be a peer's, which writes to it meanwhile: so every byte of a number is read once,
 * and texts are copied before a decoder sees them.
 */
export function spanOf(view: MessageView): Span {
  const span = view.$span;
  // Memory that was taken back has no bytes.
  if (span.end > span.bytes.length) {
    const text = `the memory of this ${span.layout.typeName} is gone: its publication was released, or its link has ended`;
    throw new IpcError("FAILED_PRECONDITION", text);
  }
  cursor.isPrivate = false;
  cursor.mayAlias = true;
  cursor.start = 0;
  cursor.end = 0;
  cursor.whole = "";
  return span;
}

/** A view of a message within the one of `outer`. */
export function viewWithin<View>(
  outer: Span,
  type: ViewType<View>,
  bytes: Uint8Array,
  start: number,
  end: number,
): View {
  if (outer.depth < 2) throw nestedTooDeep(outer.outermost, outer.maxNesting);
  const view = new type(bytes, start, end);
  const span = (view as MessageView).$span;
  span.depth = outer.depth - 1;
  span.outermost = outer.outermost;
  span.maxNesting = outer.maxNesting;
  return view;
}
