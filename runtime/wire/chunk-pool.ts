/** The size of a pooled chunk: a fragment of 64 KiB with its header fits, and so do a thousand small records. */
export const CHUNK_BYTES = 131_072;
const MAX_FREE_CHUNKS = 32;

// Shared by all links of the process, so that a link at rest holds no chunk at all.
const free: Uint8Array[] = [];

/** A chunk of at least `minBytes`. Its contents are whatever was there. */
export function takeChunk(minBytes: number): Uint8Array {
  if (minBytes > CHUNK_BYTES) return new Uint8Array(minBytes);
  return free.pop() ?? new Uint8Array(CHUNK_BYTES);
}

/** Gives a chunk back. Nobody may use it afterwards. */
export function releaseChunk(chunk: Uint8Array): void {
  if (chunk.length === CHUNK_BYTES && free.length < MAX_FREE_CHUNKS) free.push(chunk);
}
