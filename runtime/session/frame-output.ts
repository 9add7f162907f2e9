import type { Link, Slot } from "../../transports/transport.js";
import { encodeUtf8, Tag, writeBytes, writeNumber } from "../wire/field-writer.js";
import { Kind } from "../wire/kinds.js";
import { metadataSize, type WireMetadata, writeMetadata } from "../wire/metadata.js";
import { varintSize, writePaddedVarint } from "../wire/varint.js";
import type { Payload } from "./payload.js";

/** Room for every field of a frame that is a number, and the payload's tag and length: 13 numbers of at most 9 bytes. */
const NUMBERS_BYTES = 128;

const NO_METADATA: readonly WireMetadata[] = [];

/** What an OPEN says beside its payload. */
export interface OpenFields {
  readonly streamId: number;
  readonly flags: number;
  readonly methodId: number;
  /** Given where there is no method id. */
  readonly method: string;
  readonly deadlineUs: number;
  readonly timeoutUs: number;
  readonly messages: number;
  readonly bytes: number;
  readonly metadata: readonly WireMetadata[];
}

/** Lays frames out in the link's memory. Every method returns false, having done nothing, when the link is full. */
export class FrameOutput {
  readonly #link: Link;
  readonly #onCommit: () => void;
  /** The payload bytes of the frame that was committed last. */
  payloadBytes = 0;
  /** Whether the link refused the last frame, and has not said since that it has room. */
  isFull = false;

  constructor(link: Link, onCommit: () => void) {
    this.#link = link;
    this.#onCommit = onCommit;
  }

  data(
    streamId: number,
    flags: number,
    keyId: number,
    seq: number,
    lost: number,
    payload: Payload | undefined,
  ): boolean {
    const slot = this.#reserve(NUMBERS_BYTES + (payload === undefined ? 0 : payload.maxBytes));
    if (slot === undefined) return false;
    const bytes = slot.bytes;
    let offset = writeNumber(bytes, slot.start, Tag.KIND, Kind.DATA);
    offset = writeNumber(bytes, offset, Tag.STREAM_ID, streamId);
    offset = writeNumber(bytes, offset, Tag.FLAGS, flags);
    offset = writeNumber(bytes, offset, Tag.KEY_ID, keyId);
    offset = writeNumber(bytes, offset, Tag.SEQ, seq);
    offset = writeNumber(bytes, offset, Tag.LOST, lost);
    if (payload !== undefined) offset = this.#payload(bytes, offset, payload);
    this.#link.commit(slot, offset - slot.start);
    this.#onCommit();
    return true;
  }

  open(fields: OpenFields, payload: Payload | undefined): boolean {
    const method = fields.methodId === 0 ? encodeUtf8(fields.method) : undefined;
    const variable = metadataSize(fields.metadata) + (method === undefined ? 0 : method.length);
    const slot = this.#reserve(NUMBERS_BYTES + variable + (payload === undefined ? 0 : payload.maxBytes));
    if (slot === undefined) return false;
    const bytes = slot.bytes;
    let offset = writeNumber(bytes, slot.start, Tag.KIND, Kind.OPEN);
    offset = writeNumber(bytes, offset, Tag.STREAM_ID, fields.streamId);
    offset = writeNumber(bytes, offset, Tag.FLAGS, fields.flags);
    offset = writeNumber(bytes, offset, Tag.METHOD_ID, fields.methodId);
    if (method !== undefined) offset = writeBytes(bytes, offset, Tag.METHOD, method);
    offset = writeNumber(bytes, offset, Tag.DEADLINE_US, fields.deadlineUs);
    offset = writeNumber(bytes, offset, Tag.TIMEOUT_US, fields.timeoutUs);
    offset = writeNumber(bytes, offset, Tag.MESSAGES, fields.messages);
    offset = writeNumber(bytes, offset, Tag.BYTES, fields.bytes);
    offset = writeMetadata(bytes, offset, fields.metadata);
    if (payload !== undefined) offset = this.#payload(bytes, offset, payload);
    this.#link.commit(slot, offset - slot.start);
    this.#onCommit();
    return true;
  }

  end(
    streamId: number,
    flags: number,
    status: Uint8Array | undefined,
    metadata: readonly WireMetadata[],
    payload: Payload | undefined,
  ): boolean {
    return this.#frame(Kind.END, streamId, flags, status, metadata, payload);
  }

  headers(streamId: number, metadata: readonly WireMetadata[]): boolean {
    return this.#frame(Kind.HEADERS, streamId, 0, undefined, metadata, undefined);
  }

  cancel(streamId: number, status: Uint8Array): boolean {
    return this.#frame(Kind.CANCEL, streamId, 0, status, NO_METADATA, undefined);
  }

  close(status: Uint8Array): boolean {
    return this.#frame(Kind.CLOSE, 0, 0, status, NO_METADATA, undefined);
  }

  hello(payload: Payload): boolean {
    return this.#frame(Kind.HELLO, 0, 0, undefined, NO_METADATA, payload);
  }

  drain(lastStreamId: number): boolean {
    return this.#frame(Kind.DRAIN, lastStreamId, 0, undefined, NO_METADATA, undefined);
  }

  credit(streamId: number, flags: number, messages: number, creditBytes: number): boolean {
    const slot = this.#reserve(NUMBERS_BYTES);
    if (slot === undefined) return false;
    let offset = writeNumber(slot.bytes, slot.start, Tag.KIND, Kind.CREDIT);
    offset = writeNumber(slot.bytes, offset, Tag.STREAM_ID, streamId);
    offset = writeNumber(slot.bytes, offset, Tag.FLAGS, flags);
    offset = writeNumber(slot.bytes, offset, Tag.MESSAGES, messages);
    offset = writeNumber(slot.bytes, offset, Tag.BYTES, creditBytes);
    this.#link.commit(slot, offset - slot.start);
    this.#onCommit();
    return true;
  }

  method(methodId: number, name: string): boolean {
    const method = encodeUtf8(name);
    const slot = this.#reserve(NUMBERS_BYTES + method.length);
    if (slot === undefined) return false;
    let offset = writeNumber(slot.bytes, slot.start, Tag.KIND, Kind.METHOD);
    offset = writeNumber(slot.bytes, offset, Tag.METHOD_ID, methodId);
    offset = writeBytes(slot.bytes, offset, Tag.METHOD, method);
    this.#link.commit(slot, offset - slot.start);
    this.#onCommit();
    return true;
  }

  key(streamId: number, keyId: number, key: Payload): boolean {
    const slot = this.#reserve(NUMBERS_BYTES + key.maxBytes);
    if (slot === undefined) return false;
    let offset = writeNumber(slot.bytes, slot.start, Tag.KIND, Kind.KEY);
    offset = writeNumber(slot.bytes, offset, Tag.STREAM_ID, streamId);
    offset = writeNumber(slot.bytes, offset, Tag.KEY_ID, keyId);
    offset = this.#payload(slot.bytes, offset, key);
    this.#link.commit(slot, offset - slot.start);
    this.#onCommit();
    return true;
  }

  lost(streamId: number, keyId: number, seq: number, lost: number): boolean {
    const slot = this.#reserve(NUMBERS_BYTES);
    if (slot === undefined) return false;
    let offset = writeNumber(slot.bytes, slot.start, Tag.KIND, Kind.LOST);
    offset = writeNumber(slot.bytes, offset, Tag.STREAM_ID, streamId);
    offset = writeNumber(slot.bytes, offset, Tag.KEY_ID, keyId);
    offset = writeNumber(slot.bytes, offset, Tag.SEQ, seq);
    offset = writeNumber(slot.bytes, offset, Tag.LOST, lost);
    this.#link.commit(slot, offset - slot.start);
    this.#onCommit();
    return true;
  }

  #frame(
    kind: number,
    streamId: number,
    flags: number,
    status: Uint8Array | undefined,
    metadata: readonly WireMetadata[],
    payload: Payload | undefined,
  ): boolean {
    const variable =
      (status === undefined ? 0 : status.length) + (metadata.length === 0 ? 0 : metadataSize(metadata));
    const slot = this.#reserve(NUMBERS_BYTES + variable + (payload === undefined ? 0 : payload.maxBytes));
    if (slot === undefined) return false;
    const bytes = slot.bytes;
    let offset = writeNumber(bytes, slot.start, Tag.KIND, kind);
    offset = writeNumber(bytes, offset, Tag.STREAM_ID, streamId);
    offset = writeNumber(bytes, offset, Tag.FLAGS, flags);
    if (status !== undefined) offset = writeBytes(bytes, offset, Tag.STATUS, status);
    if (metadata.length > 0) offset = writeMetadata(bytes, offset, metadata);
    if (payload !== undefined) offset = this.#payload(bytes, offset, payload);
    this.#link.commit(slot, offset - slot.start);
    this.#onCommit();
    return true;
  }

  #reserve(maxBytes: number): Slot | undefined {
    const slot = this.#link.reserve(maxBytes);
    this.isFull = slot === undefined;
    return slot;
  }

  /** The length is as wide as the bound needs, because it is known only after the message is written behind it. */
  #payload(bytes: Uint8Array, offset: number, payload: Payload): number {
    bytes[offset++] = Tag.PAYLOAD;
    const width = varintSize(payload.maxBytes);
    const end = payload.writeInto(bytes, offset + width);
    this.payloadBytes = end - offset - width;
    writePaddedVarint(bytes, offset, this.payloadBytes, width);
    return end;
  }
}
