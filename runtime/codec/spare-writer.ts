import { BinaryWriter } from "@bufbuild/protobuf/wire";

/** The writer of larger messages is not kept, so that its memory is not either. A writer that is grows no more. */
const MAX_KEPT_BYTES = 4_194_304;
/** From here on copying a field of bytes costs more than keeping it apart. */
const APART_BYTES = 16_384;

/** A writer that leaves large fields of bytes where they are. */
class PartsWriter extends BinaryWriter {
  /** What was written, in order; its end is still in the writer. `undefined` while nothing is kept apart. */
  parts: Uint8Array[] | undefined;
  /** Nothing may be kept apart within a nested message: its length would not count it. */
  keepsApart = false;

  override bytes(value: Uint8Array): this {
    if (!this.keepsApart || !(value instanceof Uint8Array) || value.length < APART_BYTES) {
      return super.bytes(value);
    }
    this.uint32(value.length);
    this.parts ??= [];
    this.parts.push(this.finish(), value);
    return this;
  }
}

let spare: PartsWriter | undefined;

/** What `write` writes, as bytes of its own. The writer is used again, unless `write` throws. */
export function writeBytes<T>(write: (message: T, writer: BinaryWriter) => unknown, message: T): Uint8Array {
  const writer = spare ?? new PartsWriter();
  // Taken away meanwhile: what is half written, or written from within another message, never mixes.
  spare = undefined;
  write(message, writer);
  const bytes = writer.finish();
  if (bytes.length <= MAX_KEPT_BYTES) spare = writer;
  return bytes;
}

/**
 * As `writeBytes`, for a message without messages in it: large fields of bytes are not copied. Then the result is a list
 * of parts, some of which are the message's own memory.
 */
export function writeParts<T>(
  write: (message: T, writer: BinaryWriter) => unknown,
  message: T,
): Uint8Array | readonly Uint8Array[] {
  const writer = spare ?? new PartsWriter();
  spare = undefined;
  writer.keepsApart = true;
  write(message, writer);
  const { parts } = writer;
  const bytes = writer.finish();
  writer.keepsApart = false;
  writer.parts = undefined;
  if (bytes.length <= MAX_KEPT_BYTES) spare = writer;
  if (parts === undefined) return bytes;
  parts.push(bytes);
  return parts;
}
