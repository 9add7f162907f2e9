// Fresh typed arrays above 64 bytes are allocated off the JavaScript heap, which costs more than decoding a small
// message. So small copies share a slab; it is small itself, because one living copy keeps all of it alive.
const SLAB_BYTES = 16_384;
const MAX_SHARED_BYTES = 2_048;

let slab = new Uint8Array(0);
let used = 0;

/** Copies `bytes[start, end)` to memory that nobody writes to again. */
export function privateCopy(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start;
  // It would give memory of earlier copies away once more.
  if (length < 0) throw new RangeError(`a range of bytes begins at ${start} and ends at ${end}`);
  if (length > MAX_SHARED_BYTES) return bytes.slice(start, end);
  if (used + length > slab.length) {
    slab = new Uint8Array(SLAB_BYTES);
    used = 0;
  }
  const copy = slab.subarray(used, used + length);
  used += length;
  copy.set(bytes.subarray(start, end));
  return copy;
}
