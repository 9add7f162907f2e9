/**
 * The wire protocol: frames, and how a byte stream carries them. For authors of transports, tools and tests.
 *
 * @module protoipc/wire
 */
export { type Frame, decodeFrame, encodeFrame } from "./frame.js";
export { DEFAULT_WIRE_LIMITS, decodeHello, encodeHello, type WireHello, type WireLimits } from "./hello.js";
export { Feature, Flag, Kind, PROTOCOL_VERSION } from "./kinds.js";
export type { WireMetadata } from "./metadata.js";
export { PREAMBLE } from "./preamble.js";
export { RecordReader } from "./record-reader.js";
export { type MutableSlot, RecordWriter, type RecordWriterOptions } from "./record-writer.js";
export type { WireStatus } from "./status.js";
export { WireError } from "./wire-error.js";
