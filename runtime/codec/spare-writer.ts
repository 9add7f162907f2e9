import { BinaryWriter } from "@bufbuild/protobuf/wire";

/** The writer of larger messages is not kept, so that its memory is not either. A writer that is grows no more. */
const MAX_KEPT_BYTES = 4_194_304;

let spare: BinaryWriter | undefined;

/** What `write` writes, as bytes of its own. The writer is used again, unless `write` throws. */
export function writeBytes<T>(write: (message: T, writer: BinaryWriter) => unknown, message: T): Uint8Array {
  const writer = spare ?? new BinaryWriter();
  // Taken away meanwhile: what is half written, or written from within another message, never mixes.
  spare = undefined;
  write(message, writer);
  const bytes = writer.finish();
  if (bytes.length <= MAX_KEPT_BYTES) spare = writer;
  return bytes;
}
