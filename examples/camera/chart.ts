import { drawNumber } from "./digits.js";
import { type FrameSize, frameBytes } from "./frame-size.js";

/** White, yellow, cyan, green, magenta, red, blue, black: alpha, blue, green, red from the highest byte on. */
const BARS = [0xffa0a0a0, 0xff00a0a0, 0xffa0a000, 0xff00a000, 0xffa000a0, 0xff0000a0, 0xffa00000, 0xff000000];
/** How many pixels the bars move to the left from one frame to the next. */
const BARS_STEP = 4;
/** The same for red, green and blue; what is added to a bar stays below 256 - 160, so that it never carries. */
const GREY = 0x010101;
const SHADES_MASK = 63;
const NOISE_BITS = 5;

/**
 * Draws a test chart into `pixels`: colour bars that move, a gradient that moves, noise, and the frame's number. Every
 * pixel is written, and in every part of the picture some differ from those of the frame before.
 *
 * The array may begin at any address and have any offset in its buffer: a DataView writes 32 bits wherever they stand,
 * as fast as a Uint32Array does. Throws a `RangeError` for an array of another length.
 */
export function drawChart(pixels: Uint8Array, size: FrameSize, number: number): void {
  if (pixels.length !== frameBytes(size)) {
    throw new RangeError(`${pixels.length} bytes were given to be drawn in; it must be ${frameBytes(size)}`);
  }
  const { width, height } = size;
  const view = new DataView(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  const bars = barsOf(width, number * BARS_STEP);
  // A linear congruential generator, in the rhythm of which nothing is seen in the highest bits.
  let noise = Math.imul(number, 0x9e3779b1);
  let offset = 0;
  for (let y = 0; y < height; y++) {
    const shade = (y + number) & SHADES_MASK;
    for (let x = 0; x < width; x++) {
      noise = (Math.imul(noise, 1664525) + 1013904223) | 0;
      view.setInt32(offset, bars[x]! + GREY * (shade + (noise >>> (32 - NOISE_BITS))), true);
      offset += 4;
    }
  }
  drawNumber(view, size, number);
}

/** One row of the bars, `shift` pixels moved to the left. */
function barsOf(width: number, shift: number): Int32Array {
  const row = new Int32Array(width);
  for (let x = 0; x < width; x++) {
    row[x] = BARS[Math.floor((((x + shift) % width) * BARS.length) / width)]!;
  }
  return row;
}
