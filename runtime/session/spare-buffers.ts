/**
 * Buffers for messages on their way, kept for the next ones. Fresh memory costs a page fault per page, and what it adds to
 * the engine's account makes the engine collect its whole heap again and again.
 */

/** Smaller memory is as cheap when it is made anew. */
export const MIN_SPARE_BYTES = 16_384;
/** A larger buffer is not kept. */
const MAX_SPARE_BYTES = 8_388_608;
/** What is kept in all. */
const MAX_KEPT_BYTES = 16_777_216;

// Shared by all links of the process, so that a link at rest holds none.
const free = new Map<number, Uint8Array[]>();
let keptBytes = 0;

/** A buffer of at least `minBytes`, at most a quarter larger. Its contents are whatever was there. */
export function takeSpareBuffer(minBytes: number): Uint8Array {
  const size = sizeFor(minBytes);
  const spare = free.get(size)?.pop();
  if (spare === undefined) return new Uint8Array(size);
  keptBytes -= size;
  return spare;
}

/** Gives a buffer back. Nobody may use it afterwards. */
export function releaseSpareBuffer(buffer: Uint8Array): void {
  const size = buffer.length;
  if (size < MIN_SPARE_BYTES || size > MAX_SPARE_BYTES || sizeFor(size) !== size) return;
  while (keptBytes + size > MAX_KEPT_BYTES) if (!dropOtherThan(size)) return;
  const spares = free.get(size);
  if (spares === undefined) free.set(size, [buffer]);
  else spares.push(buffer);
  keptBytes += size;
}

/** Sizes are powers of two and three steps between each two, so that few are ever in use. */
function sizeFor(bytes: number): number {
  if (bytes <= MIN_SPARE_BYTES) return MIN_SPARE_BYTES;
  const step = 2 ** (29 - Math.clz32(bytes - 1));
  return Math.ceil(bytes / step) * step;
}

/** Makes room by dropping a buffer of another size, which was asked for longer ago. */
function dropOtherThan(size: number): boolean {
  for (const [other, spares] of free) {
    if (other === size) continue;
    if (spares.pop() === undefined) {
      free.delete(other);
      continue;
    }
    keptBytes -= other;
    return true;
  }
  return false;
}
