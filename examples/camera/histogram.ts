const BINS = 256;
/** From nothing to full. */
const LEVELS = " ▁▂▃▄▅▆▇█";

/** How many pixels of a frame have each brightness, from 0 to 255. */
export function brightnessHistogram(pixels: Uint8Array): Uint32Array {
  const bins = new Uint32Array(BINS);
  const view = new DataView(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  const end = view.byteLength - 3;
  for (let offset = 0; offset < end; offset += 4) {
    const pixel = view.getUint32(offset, true);
    // The weights of ITU-R BT.709 for red, green and blue, of 256.
    const red = pixel & 255;
    const green = (pixel >>> 8) & 255;
    const blue = (pixel >>> 16) & 255;
    bins[(54 * red + 183 * green + 19 * blue) >>> 8]!++;
  }
  return bins;
}

/** A line of bars, dark to bright; the highest is full. `columns` divides 256. */
export function barLine(bins: Uint32Array, columns: number): string {
  const perColumn = bins.length / columns;
  const sums = Array.from({ length: columns }, (_, column) =>
    bins.subarray(column * perColumn, (column + 1) * perColumn).reduce((sum, count) => sum + count, 0),
  );
  const highest = Math.max(1, ...sums);
  return sums.map((sum) => LEVELS[Math.ceil((sum / highest) * (LEVELS.length - 1))]).join("");
}
