import type { Link, RecordBatch, Slot } from "../../transports/transport.js";
import { encodeUtf8, Tag, writeBytes, writeNumber } from "../wire/field-writer.js";
import { Kind } from "../wire/kinds.js";
import { metadataSize, type WireMetadata, writeMetadata } from "../wire/metadata.js";
import { varintSize, writePaddedVarint } from "../wire/varint.js";
import type { BytesPayload, Payload } from "./payload.js";

/** Room for every field of a frame that is a number, and the payload's tag and length: 13 numbers of at most 9 bytes. */
export const NUMBERS_BYTES = 128;

const NO_METADATA: readonly WireMetadata[] = [];

/** What an OPEN says beside its payload. */
export interface OpenFields {
  readonly streamId: number;
  readonly flags: number;
  readonly methodId: number;
  /** Given where there is no method id. */
  readonly method: string;
  readonly timeUs: number;
  readonly timeoutUs: number;
  readonly messages: number;
  readonly bytes: number;
  readonly metadata: readonly WireMetadata[];
}

/** Frames that are laid out elsewhere, and go before any other to the links that they are for. */
export interface Staged {
  /** Commits them to all these links. */
  settle(): void;
}

/**
 * Lays frames out in the link's memory. Every method returns false, having done nothing, when the link is full; those
 * whose payload stands in a block also where the peer holds as many blocks as it may, which `isFull` tells apart.
 */
export class FrameOutput {
  readonly #link: Link;
  readonly #onCommit: () => void;
  /** The payload bytes of the frame that was committed last. */
  payloadBytes = 0;
  /** Whether the link refused the last frame, and has not said since that it has room. */
  isFull = false;
  /** What is to be committed before anything else. */
  staged: Staged | undefined;

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
    timeUs: number,
    payload: Payload | undefined,
  ): boolean {
    const slot = this.#reserve(NUMBERS_BYTES + (payload === undefined ? 0 : payload.maxBytes));
    if (slot === undefined) return false;
    this.#commit(slot, writeData(slot, streamId, flags, keyId, seq, lost, timeUs), payload);
    return true;
  }

  /** As `data`, with a payload that stands in a block of the link's. */
  dataInBlock(
    streamId: number,
    flags: number,
    keyId: number,
    seq: number,
    lost: number,
    timeUs: number,
    payload: BytesPayload,
  ): boolean {
    const slot = this.#reserve(NUMBERS_BYTES);
    if (slot === undefined) return false;
    return this.#commitBlock(slot, writeData(slot, streamId, flags, keyId, seq, lost, timeUs), payload);
  }

  open(fields: OpenFields, payload: Payload | undefined): boolean {
    const method = fields.methodId === 0 ? encodeUtf8(fields.method) : undefined;
    const variable = metadataSize(fields.metadata) + (method === undefined ? 0 : method.length);
    const slot = this.#reserve(NUMBERS_BYTES + variable + (payload === undefined ? 0 : payload.maxBytes));
    if (slot === undefined) return false;
    this.#commit(slot, writeOpen(slot, fields, method), payload);
    return true;
  }

  /** As `open`, with a payload that stands in a block of the link's. */
  openInBlock(fields: OpenFields, payload: BytesPayload): boolean {
    const method = fields.methodId === 0 ? encodeUtf8(fields.method) : undefined;
    const variable = metadataSize(fields.metadata) + (method === undefined ? 0 : method.length);
    const slot = this.#reserve(NUMBERS_BYTES + variable);
    if (slot === undefined) return false;
    return this.#commitBlock(slot, writeOpen(slot, fields, method), payload);
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

  /** As `end`, with a payload that stands in a block of the link's. */
  endInBlock(
    streamId: number,
    flags: number,
    status: Uint8Array | undefined,
    metadata: readonly WireMetadata[],
    payload: BytesPayload,
  ): boolean {
    const slot = this.#reserve(NUMBERS_BYTES + (status?.length ?? 0) + metadataSize(metadata));
    if (slot === undefined) return false;
    const offset = writeHead(slot, Kind.END, streamId, flags, status, metadata);
    return this.#commitBlock(slot, offset, payload);
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
    this.#commit(slot, offset, undefined);
    return true;
  }

  method(methodId: number, name: string): boolean {
    const method = encodeUtf8(name);
    const slot = this.#reserve(NUMBERS_BYTES + method.length);
    if (slot === undefined) return false;
    let offset = writeNumber(slot.bytes, slot.start, Tag.KIND, Kind.METHOD);
    offset = writeNumber(slot.bytes, offset, Tag.METHOD_ID, methodId);
    offset = writeBytes(slot.bytes, offset, Tag.METHOD, method);
    this.#commit(slot, offset, undefined);
    return true;
  }

  key(streamId: number, keyId: number, key: Payload): boolean {
    const slot = this.#reserve(NUMBERS_BYTES + key.maxBytes);
    if (slot === undefined) return false;
    let offset = writeNumber(slot.bytes, slot.start, Tag.KIND, Kind.KEY);
    offset = writeNumber(slot.bytes, offset, Tag.STREAM_ID, streamId);
    offset = writeNumber(slot.bytes, offset, Tag.KEY_ID, keyId);
    this.#commit(slot, offset, key);
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
    this.#commit(slot, offset, undefined);
    return true;
  }

  /** How many bytes of a batch the link has room for; 0: not for a frame with a payload of `payloadBytes`. */
  batchRoom(payloadBytes: number): number {
    this.staged?.settle();
    const room = this.#link.batchRoom?.(NUMBERS_BYTES + payloadBytes) ?? 0;
    this.isFull = room === 0;
    return room;
  }

  /** Commits frames that found room. */
  commitBatch(batch: RecordBatch): void {
    this.#link.commitBatch?.(batch);
    this.#onCommit();
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
    this.#commit(slot, writeHead(slot, kind, streamId, flags, status, metadata), payload);
    return true;
  }

  /** Whether a frame without payload would find room now. */
  hasRoom(): boolean {
    return this.#reserve(NUMBERS_BYTES) !== undefined;
  }

  #reserve(maxBytes: number): Slot | undefined {
    this.staged?.settle();
    const slot = this.#link.reserve(maxBytes);
    this.isFull = slot === undefined;
    return slot;
  }

  /** The frame's fields stand in the slot up to `offset`; the payload comes behind them. */
  #commit(slot: Slot, offset: number, payload: Payload | undefined): void {
    const end = payload === undefined ? offset : this.#payload(slot.bytes, offset, payload);
    this.#link.commit(slot, end - slot.start);
    this.#onCommit();
  }

  #commitBlock(slot: Slot, offset: number, payload: BytesPayload): boolean {
    const { block, start, end } = payload;
    if (this.#link.commitBlock?.(slot, offset - slot.start, block!, start, end) !== true) return false;
    this.payloadBytes = end - start;
    this.#onCommit();
    return true;
  }

  #payload(bytes: Uint8Array, offset: number, payload: Payload): number {
    const end = writePayload(bytes, offset, payload);
    this.payloadBytes = end - offset - payloadHeadBytes(payload);
    return end;
  }
}

/** The bytes of a payload's tag and length. */
export function payloadHeadBytes(payload: Payload): number {
  return 1 + varintSize(payload.maxBytes);
}

/** The length is as wide as the bound needs, because it is known only after the message is written behind it. */
export function writePayload(bytes: Uint8Array, offset: number, payload: Payload): number {
  bytes[offset++] = Tag.PAYLOAD;
  const width = varintSize(payload.maxBytes);
  const end = payload.writeInto(bytes, offset + width);
  writePaddedVarint(bytes, offset, end - offset - width, width);
  return end;
}

// Each writes a frame's fields into a slot, all but the payload, and returns the offset after them.

function writeData(
  { bytes, start }: Slot,
  streamId: number,
  flags: number,
  keyId: number,
  seq: number,
  lost: number,
  timeUs: number,
): number {
  let offset = writeNumber(bytes, start, Tag.KIND, Kind.DATA);
  offset = writeNumber(bytes, offset, Tag.STREAM_ID, streamId);
  offset = writeNumber(bytes, offset, Tag.FLAGS, flags);
  offset = writeNumber(bytes, offset, Tag.TIME_US, timeUs);
  offset = writeNumber(bytes, offset, Tag.KEY_ID, keyId);
  offset = writeNumber(bytes, offset, Tag.SEQ, seq);
  return writeNumber(bytes, offset, Tag.LOST, lost);
}

function writeOpen({ bytes, start }: Slot, fields: OpenFields, method: Uint8Array | undefined): number {
  let offset = writeNumber(bytes, start, Tag.KIND, Kind.OPEN);
  offset = writeNumber(bytes, offset, Tag.STREAM_ID, fields.streamId);
  offset = writeNumber(bytes, offset, Tag.FLAGS, fields.flags);
  offset = writeNumber(bytes, offset, Tag.METHOD_ID, fields.methodId);
  if (method !== undefined) offset = writeBytes(bytes, offset, Tag.METHOD, method);
  offset = writeNumber(bytes, offset, Tag.TIME_US, fields.timeUs);
  offset = writeNumber(bytes, offset, Tag.TIMEOUT_US, fields.timeoutUs);
  offset = writeNumber(bytes, offset, Tag.MESSAGES, fields.messages);
  offset = writeNumber(bytes, offset, Tag.BYTES, fields.bytes);
  return writeMetadata(bytes, offset, fields.metadata);
}

function writeHead(
  { bytes, start }: Slot,
  kind: number,
  streamId: number,
  flags: number,
  status: Uint8Array | undefined,
  metadata: readonly WireMetadata[],
): number {
  let offset = writeNumber(bytes, start, Tag.KIND, kind);
  offset = writeNumber(bytes, offset, Tag.STREAM_ID, streamId);
  offset = writeNumber(bytes, offset, Tag.FLAGS, flags);
  if (status !== undefined) offset = writeBytes(bytes, offset, Tag.STATUS, status);
  return metadata.length === 0 ? offset : writeMetadata(bytes, offset, metadata);
}
