import { encodeUtf8, MessageBuilder } from "./field-writer.js";
import { FrameHead, readFrameHead } from "./frame-head.js";
import { readMetadata, type WireMetadata } from "./metadata.js";
import { decodeStatus, encodeStatus, type WireStatus } from "./status.js";

/** A whole frame as plain data, for tools and tests; the session reads heads and writes in place instead. */
export interface Frame {
  readonly kind: number;
  readonly streamId: number;
  readonly flags: number;
  readonly methodId: number;
  readonly method: string;
  readonly timeUs: number;
  readonly timeoutUs: number;
  readonly messages: number;
  readonly bytes: number;
  readonly keyId: number;
  readonly seq: number;
  readonly lost: number;
  readonly status: WireStatus | undefined;
  readonly metadata: readonly WireMetadata[];
  readonly payload: Uint8Array | undefined;
}

const EMPTY: Omit<Frame, "kind"> = {
  streamId: 0,
  flags: 0,
  methodId: 0,
  method: "",
  timeUs: 0,
  timeoutUs: 0,
  messages: 0,
  bytes: 0,
  keyId: 0,
  seq: 0,
  lost: 0,
  status: undefined,
  metadata: [],
  payload: undefined,
};

/** The frame's bytes, in the order of the fields' numbers and without padding: what standard protobuf code writes. */
export function encodeFrame(frame: Partial<Frame> & Pick<Frame, "kind">): Uint8Array {
  const full: Frame = { ...EMPTY, ...frame };
  const builder = new MessageBuilder()
    .number(1, full.kind)
    .number(2, full.streamId)
    .number(3, full.flags)
    .number(4, full.methodId)
    .string(5, full.method)
    .number(6, full.timeUs)
    .number(7, full.timeoutUs)
    .number(8, full.messages)
    .number(9, full.bytes)
    .number(10, full.keyId)
    .number(11, full.seq)
    .number(12, full.lost);
  if (full.status !== undefined) builder.bytes(13, encodeStatus(full.status));
  for (const { key, value } of full.metadata) {
    const entry = new MessageBuilder().bytes(1, encodeUtf8(key));
    if (value.length > 0) entry.bytes(2, value);
    builder.bytes(14, entry.finish());
  }
  if (full.payload !== undefined) builder.bytes(15, full.payload);
  return builder.finish();
}

/** Reads a frame; the result shares no memory with `bytes`. Throws `WireError`. */
export function decodeFrame(bytes: Uint8Array, start = 0, end: number = bytes.length): Frame {
  const head = new FrameHead();
  readFrameHead(head, bytes, start, end);
  return {
    kind: head.kind,
    streamId: head.streamId,
    flags: head.flags,
    methodId: head.methodId,
    method: head.method(),
    timeUs: head.timeUs,
    timeoutUs: head.timeoutUs,
    messages: head.messages,
    bytes: head.creditBytes,
    keyId: head.keyId,
    seq: head.seq,
    lost: head.lost,
    status: head.statusStart < 0 ? undefined : decodeStatus(bytes, head.statusStart, head.statusEnd),
    metadata: readMetadata(head),
    payload: head.payloadStart < 0 ? undefined : bytes.slice(head.payloadStart, head.payloadEnd),
  };
}
