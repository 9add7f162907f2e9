import type { FrameHead } from "../wire/frame-head.js";
import { releaseSpareBuffer, takeSpareBuffer } from "./spare-buffers.js";

/** A message of which only a part has arrived. */
export interface Assembly {
  /** Grows as bytes arrive, never because a frame claims them. */
  bytes: Uint8Array;
  length: number;
  /** Whether it began in the OPEN, whose bytes are counted apart. */
  readonly isOpening: boolean;
  readonly keyId: number;
  readonly seq: number;
  readonly lost: number;
  readonly timeUs: number;
}

/** Below this a message is put together in memory of its own: a peer that dribbles holds no more than it has sent. */
const SMALL_BYTES = 16_384;

/** The state before the first part. */
export function beginAssembly(
  isOpening: boolean,
  { keyId, seq, lost, timeUs }: Pick<FrameHead, "keyId" | "seq" | "lost" | "timeUs">,
): Assembly {
  return { bytes: new Uint8Array(0), length: 0, isOpening, keyId, seq, lost, timeUs };
}

/** Adds a part. */
export function appendPart(assembly: Assembly, bytes: Uint8Array, start: number, end: number): void {
  const length = assembly.length + end - start;
  if (length > assembly.bytes.length) {
    const grown = length <= SMALL_BYTES ? new Uint8Array(length * 2) : takeSpareBuffer(length * 2);
    grown.set(assembly.bytes.subarray(0, assembly.length));
    releaseSpareBuffer(assembly.bytes);
    assembly.bytes = grown;
  }
  assembly.bytes.set(bytes.subarray(start, end), assembly.length);
  assembly.length = length;
}

/** The message has been read, or is not wanted. */
export function endAssembly(assembly: Assembly): void {
  releaseSpareBuffer(assembly.bytes);
  assembly.bytes = new Uint8Array(0);
}
