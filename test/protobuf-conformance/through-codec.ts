import { isDeepStrictEqual } from "node:util";
import type { Message } from "@bufbuild/protobuf";
import type { Codec } from "../../runtime/codec/codec.js";
import { same } from "../harness/pattern.js";

const MARGIN = 13;
const FILL = 0xa5;

/** A codec that breaks the rules of the interface, whatever the bytes are. */
export class BrokenCodec extends Error {}

/**
 * Decodes as the runtime does, out of the middle of a larger buffer: once as a view, once without, and then the buffer is
 * overwritten. Both have to give the same, or to fail; throws what the codec throws.
 */
export function decodeThrough(codec: Codec<unknown, unknown>, payload: Uint8Array): Message {
  const [buffer, end] = within(payload);
  let aliased: unknown;
  let refusal: unknown;
  try {
    aliased = codec.decode(within(payload)[0], MARGIN, end, true);
  } catch (error) {
    refusal = error;
  }
  let message: unknown;
  try {
    message = codec.decode(buffer, MARGIN, end, false);
  } catch (error) {
    if (refusal === undefined) throw new BrokenCodec(`decodes as a view alone: ${error}`);
    throw error;
  }
  if (refusal !== undefined) throw new BrokenCodec(`decodes as a copy alone: ${refusal}`);
  buffer.fill(FILL);
  // Not `equals` of protobuf-es: it tells NaN from NaN, and looks at no prototype.
  if (!isDeepStrictEqual(aliased, message)) {
    throw new BrokenCodec("the copy is not what the view is, or shares memory with its bytes");
  }
  return message as Message;
}

/** Encodes as the runtime does, into the middle of a larger buffer. Throws what the codec throws. */
export function encodeThrough(codec: Codec<unknown, unknown>, message: Message): Uint8Array {
  const size = codec.maxSize(message);
  const buffer = new Uint8Array(size + 2 * MARGIN).fill(FILL);
  const end = codec.encodeInto(message, buffer, MARGIN);
  if (end > MARGIN + size) throw new BrokenCodec(`writes ${end - MARGIN} bytes, and said at most ${size}`);
  const outside = [...buffer.subarray(0, MARGIN), ...buffer.subarray(MARGIN + size)];
  if (outside.some((byte) => byte !== FILL)) throw new BrokenCodec("writes outside of its place");
  const bytes = buffer.slice(MARGIN, end);
  if (codec.encode !== undefined && !same(codec.encode(message), bytes)) {
    throw new BrokenCodec("encode and encodeInto give different bytes");
  }
  return bytes;
}

function within(payload: Uint8Array): [buffer: Uint8Array, end: number] {
  const buffer = new Uint8Array(payload.length + 2 * MARGIN).fill(FILL);
  buffer.set(payload, MARGIN);
  return [buffer, MARGIN + payload.length];
}
