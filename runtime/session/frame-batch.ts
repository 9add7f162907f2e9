import type { BatchLayout, RecordBatch } from "../../transports/transport.js";
import { Tag, writeNumber } from "../wire/field-writer.js";
import { Kind } from "../wire/kinds.js";
import { writePaddedVarint } from "../wire/varint.js";
import { NUMBERS_BYTES, payloadHeadBytes, writePayload } from "./frame-output.js";
import type { Payload } from "./payload.js";

const BATCH_BYTES = 65_536;
/** Larger payloads go link by link: laying one out costs little beside copying it. */
export const MAX_BATCH_PAYLOAD_BYTES = 16_384;
const MOST_RECORDS = 256;
/** A stream's id is as wide in every frame, so that it can be replaced: it stands behind the kind and its own tag. */
const ID_BYTES = 3;
const ID_AT = 3;
/** Streams of higher numbers take no part in batches. */
export const MAX_BATCH_STREAM_ID: number = 2 ** (7 * ID_BYTES) - 1;

/** DATA frames that are laid out once, for one stream of each of several links. */
export class FrameBatch implements RecordBatch {
  readonly bytes: Uint8Array = new Uint8Array(new ArrayBuffer(BATCH_BYTES));
  readonly lengths: Uint32Array = new Uint32Array(new ArrayBuffer(4 * MOST_RECORDS));
  count = 0;
  end = 0;
  /** The bytes of the payloads. */
  payloadBytes = 0;
  /** A message is being encoded, whose getters may do anything. */
  isEncoding = false;
  #layout: BatchLayout | undefined;
  #mostRecords = 0;
  #room = 0;
  #streamId = 0;

  /** Empties it. `room`: what every link has room for. */
  begin(layout: BatchLayout, room: number): void {
    this.#layout = layout;
    this.#mostRecords = Math.min(MOST_RECORDS, layout.maxRecords);
    this.#room = Math.min(BATCH_BYTES, room);
    this.#streamId = 0;
    this.count = 0;
    this.end = 0;
    this.payloadBytes = 0;
  }

  /** Whether there is room for a frame with the payload. */
  hasRoomFor(payload: Payload): boolean {
    const { headerBytes, alignBytes } = this.#layout!;
    const needed = headerBytes + NUMBERS_BYTES + payload.maxBytes + alignBytes;
    return this.count < this.#mostRecords && this.end + needed <= this.#room;
  }

  /**
   * Lays a frame out, where there is room. Throws, having done nothing, what encoding the payload throws, a `RangeError`
   * where that writes more than `maxBytes`, and a `TypeError` where it comes back here.
   */
  data(keyId: number, seq: number, timeUs: number, payload: Payload): void {
    if (this.isEncoding) throw new TypeError("a message is published while another one is encoded");
    this.isEncoding = true;
    try {
      this.#lay(keyId, seq, timeUs, payload);
    } finally {
      this.isEncoding = false;
    }
  }

  #lay(keyId: number, seq: number, timeUs: number, payload: Payload): void {
    const { bytes } = this;
    const layout = this.#layout!;
    const start = this.end + layout.headerBytes;
    let offset = writeNumber(bytes, start, Tag.KIND, Kind.DATA);
    bytes[offset++] = Tag.STREAM_ID;
    writePaddedVarint(bytes, offset, this.#streamId, ID_BYTES);
    offset = writeNumber(bytes, offset + ID_BYTES, Tag.TIME_US, timeUs);
    offset = writeNumber(bytes, offset, Tag.KEY_ID, keyId);
    offset = writeNumber(bytes, offset, Tag.SEQ, seq);
    const payloadStart = offset + payloadHeadBytes(payload);
    const { maxBytes } = payload;
    const end = writePayload(bytes, offset, payload);
    if (end > payloadStart + maxBytes) {
      throw new RangeError(`a message of ${end - payloadStart} bytes was measured as ${maxBytes}`);
    }
    layout.writeHeader(bytes, this.end, end - start);
    this.payloadBytes += end - payloadStart;
    this.lengths[this.count++] = end - start;
    this.end = (end + layout.alignBytes - 1) & -layout.alignBytes;
    // What an earlier batch has left there is nobody's business.
    for (let i = end; i < this.end; i++) bytes[i] = 0;
  }

  /** Makes all frames ones of a stream. */
  addressTo(streamId: number): void {
    if (streamId === this.#streamId) return;
    this.#streamId = streamId;
    const { bytes, lengths, count } = this;
    const { headerBytes, alignBytes } = this.#layout!;
    let at = headerBytes;
    for (let i = 0; i < count; i++) {
      writePaddedVarint(bytes, at + ID_AT, streamId, ID_BYTES);
      at = ((at + lengths[i]! + alignBytes - 1) & -alignBytes) + headerBytes;
    }
  }
}

let spare: FrameBatch | undefined;

/** A batch to be begun; `releaseFrameBatch` follows. Mostly one is in use at a time, and it is kept. */
export function takeFrameBatch(): FrameBatch {
  const batch = spare ?? new FrameBatch();
  spare = undefined;
  return batch;
}

/** Nobody uses the batch any more, unless a message is still encoded into it. */
export function releaseFrameBatch(batch: FrameBatch): void {
  if (!batch.isEncoding) spare = batch;
}
