/** Buffers that large messages are put together in, kept for the next ones: fresh memory costs a page fault per page. */
const MAX_FREE_BUFFERS = 4;
const MAX_KEPT_BYTES = 8_388_608;
const FIRST_BYTES = 131_072;

// Shared by all links of the process, so that a link at rest holds none.
const free: Uint8Array[] = [];

/** A buffer of at least `minBytes`, the largest there is. Its contents are whatever was there. */
export function takeLargeBuffer(minBytes: number): Uint8Array {
  const last = free.at(-1);
  if (last !== undefined && last.length >= minBytes) {
    free.pop();
    return last;
  }
  return new Uint8Array(Math.max(FIRST_BYTES, minBytes));
}

/** Gives a buffer back. Nobody may use it afterwards. */
export function releaseLargeBuffer(buffer: Uint8Array): void {
  if (buffer.length < FIRST_BYTES || buffer.length > MAX_KEPT_BYTES) return;
  free.push(buffer);
  free.sort((a, b) => a.length - b.length);
  if (free.length > MAX_FREE_BUFFERS) free.shift();
}
