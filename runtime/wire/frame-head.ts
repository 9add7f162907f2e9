import { FieldReader, readUtf8, WireType } from "./field-reader.js";
import { Tag } from "./field-writer.js";
import { WireError } from "./wire-error.js";

/** Every field of a frame as numbers; the variable ones as places in the record. One is reused for all records. */
export class FrameHead {
  /** The record that was read last. */
  bytes: Uint8Array = new Uint8Array(0);
  kind = 0;
  streamId = 0;
  flags = 0;
  methodId = 0;
  /** The method's name is `bytes[methodStart, methodEnd)`; equal: absent. */
  methodStart = 0;
  methodEnd = 0;
  timeUs = 0;
  timeoutUs = 0;
  messages = 0;
  creditBytes = 0;
  keyId = 0;
  seq = 0;
  lost = 0;
  /** The status message is `bytes[statusStart, statusEnd)`; -1: absent. */
  statusStart = -1;
  statusEnd = -1;
  /** Start and end of each metadata entry. */
  readonly metadata: number[] = [];
  /** The sum of the lengths of the metadata entries. */
  metadataBytes = 0;
  /** The payload is `bytes[payloadStart, payloadEnd)`; -1: absent. */
  payloadStart = -1;
  payloadEnd = -1;
  /** The payload's size, wherever it is; -1: absent. */
  payloadBytes = -1;

  /** The method's name. */
  method(): string {
    return readUtf8(this.bytes, this.methodStart, this.methodEnd);
  }
}

const reader = new FieldReader(new Uint8Array(0), 0, 0);

/** Reads the frame in `bytes[start, end)` into `head`. Throws `WireError`. */
export function readFrameHead(head: FrameHead, bytes: Uint8Array, start: number, end: number): void {
  head.bytes = bytes;
  head.kind = 0;
  head.streamId = 0;
  head.flags = 0;
  head.methodId = 0;
  head.methodStart = 0;
  head.methodEnd = 0;
  head.timeUs = 0;
  head.timeoutUs = 0;
  head.messages = 0;
  head.creditBytes = 0;
  head.keyId = 0;
  head.seq = 0;
  head.lost = 0;
  head.statusStart = -1;
  head.statusEnd = -1;
  if (head.metadata.length > 0) head.metadata.length = 0;
  head.metadataBytes = 0;
  head.payloadStart = -1;
  head.payloadEnd = -1;
  head.payloadBytes = -1;
  const position = readPlainFields(head, bytes, start, end);
  if (position === end) return;
  reader.reset(bytes, position, end);
  while (reader.next()) readField(head);
}

/** Numbers of more bits are left to the reader that takes them all. */
const MOST_PLAIN_SHIFT = 21;

/**
 * Reads the fields that most frames have and nothing else: small numbers, and the payload. Returns where a field begins that
 * is another, or that is wrong.
 */
function readPlainFields(head: FrameHead, bytes: Uint8Array, start: number, end: number): number {
  let position = start;
  while (position < end) {
    const tag = bytes[position]!;
    let next = position + 1;
    let value = 0;
    let byte = 0x80;
    for (let shift = 0; byte >= 0x80; shift += 7) {
      if (next >= end || shift > MOST_PLAIN_SHIFT) return position;
      byte = bytes[next++]!;
      value |= (byte & 0x7f) << shift;
    }
    switch (tag) {
      case Tag.KIND:
        head.kind = value;
        break;
      case Tag.STREAM_ID:
        head.streamId = value;
        break;
      case Tag.FLAGS:
        head.flags = value;
        break;
      case Tag.METHOD_ID:
        head.methodId = value;
        break;
      case Tag.KEY_ID:
        head.keyId = value;
        break;
      case Tag.SEQ:
        head.seq = value;
        break;
      case Tag.LOST:
        head.lost = value;
        break;
      case Tag.PAYLOAD: {
        const payloadEnd = next + value;
        if (payloadEnd > end) return position;
        head.payloadStart = next;
        head.payloadEnd = payloadEnd;
        head.payloadBytes = value;
        next = payloadEnd;
        break;
      }
      default:
        return position;
    }
    position = next;
  }
  return position;
}

function readField(head: FrameHead): void {
  switch (reader.field) {
    case 1:
      head.kind = readKind();
      return;
    case 2:
      head.streamId = reader.number();
      return;
    case 3:
      head.flags = reader.uint32();
      return;
    case 4:
      head.methodId = reader.uint32();
      return;
    case 5:
      reader.delimited();
      head.methodStart = reader.valueStart;
      head.methodEnd = reader.valueEnd;
      return;
    case 6:
      head.timeUs = reader.number();
      return;
    case 7:
      head.timeoutUs = reader.number();
      return;
    case 8:
      head.messages = reader.uint32();
      return;
    case 9:
      head.creditBytes = reader.number();
      return;
    case 10:
      head.keyId = reader.uint32();
      return;
    case 11:
      head.seq = reader.number();
      return;
    case 12:
      head.lost = reader.number();
      return;
    case 13:
      reader.delimited();
      head.statusStart = reader.valueStart;
      head.statusEnd = reader.valueEnd;
      return;
    case 14:
      reader.delimited();
      head.metadata.push(reader.valueStart, reader.valueEnd);
      head.metadataBytes += reader.valueEnd - reader.valueStart;
      return;
    case 15:
      reader.delimited();
      head.payloadStart = reader.valueStart;
      head.payloadEnd = reader.valueEnd;
      head.payloadBytes = reader.valueEnd - reader.valueStart;
      return;
    default:
      reader.skip();
  }
}

function readKind(): number {
  if (reader.wireType !== WireType.VARINT)
    throw new WireError(`field 1: wire type ${reader.wireType}, not a number`);
  const kind = reader.varint();
  // A negative enum value is ten bytes long and is refused as a number; one of 32 bits fits.
  if (kind > 0x7fff_ffff) throw new WireError(`frame kind ${kind} is above 2147483647`);
  return kind;
}
