import { FieldReader, readUtf8 } from "./field-reader.js";
import type { FrameHead } from "./frame-head.js";
import { bytesFieldSize, encodeUtf8, Tag, writeBytes } from "./field-writer.js";
import { varintSize, writeVarint } from "./varint.js";

/** One entry of metadata as it travels. */
export interface WireMetadata {
  readonly key: string;
  readonly value: Uint8Array;
}

const KEY_TAG = 0x0a;
const VALUE_TAG = 0x12;

function entrySize(key: Uint8Array, value: Uint8Array): number {
  return bytesFieldSize(key.length) + (value.length === 0 ? 0 : bytesFieldSize(value.length));
}

/** The bytes that `writeMetadata` writes. */
export function metadataSize(entries: readonly WireMetadata[]): number {
  let size = 0;
  for (const { key, value } of entries) {
    const entry = entrySize(encodeUtf8(key), value);
    size += 1 + varintSize(entry) + entry;
  }
  return size;
}

/** What a pair counts beside its bytes: however short, it costs its receiver objects. As HPACK has it (RFC 7541, 4.1). */
export const PAIR_BYTES = 32;

/** The size that `Limits.max_metadata_bytes` bounds: the bytes of keys and values, and `PAIR_BYTES` for each pair. */
export function metadataContentBytes(entries: readonly WireMetadata[]): number {
  return entries.reduce((sum, { key, value }) => sum + PAIR_BYTES + encodeUtf8(key).length + value.length, 0);
}

/** Writes the metadata fields of a frame. */
export function writeMetadata(bytes: Uint8Array, offset: number, entries: readonly WireMetadata[]): number {
  for (const entry of entries) {
    const key = encodeUtf8(entry.key);
    bytes[offset++] = Tag.METADATA;
    offset = writeVarint(bytes, offset, entrySize(key, entry.value));
    offset = writeBytes(bytes, offset, KEY_TAG, key);
    if (entry.value.length > 0) offset = writeBytes(bytes, offset, VALUE_TAG, entry.value);
  }
  return offset;
}

/** The metadata of the frame that was read last. Values are copies. Throws `WireError`. */
export function readMetadata(head: FrameHead): WireMetadata[] {
  const entries: WireMetadata[] = [];
  for (let i = 0; i < head.metadata.length; i += 2) {
    const reader = new FieldReader(head.bytes, head.metadata[i]!, head.metadata[i + 1]!);
    let key = "";
    let value = new Uint8Array(0);
    while (reader.next()) {
      if (reader.field === 1) {
        reader.delimited();
        key = readUtf8(head.bytes, reader.valueStart, reader.valueEnd);
      } else if (reader.field === 2) {
        reader.delimited();
        value = head.bytes.slice(reader.valueStart, reader.valueEnd);
      } else {
        reader.skip();
      }
    }
    entries.push({ key, value });
  }
  return entries;
}
