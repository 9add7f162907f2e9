import { DIGITS, numberBox, SHOWN_DIGITS } from "../../examples/camera/digits.js";
import type { FrameSize } from "../../examples/camera/frame-size.js";

/** The number that is burnt into a picture, read dot by dot. Throws where something else stands there. */
export function numberIn(pixels: Uint8Array, size: FrameSize): number {
  const { dot } = numberBox(size);
  let text = "";
  for (let place = 0; place < SHOWN_DIGITS; place++) {
    const rows = Array.from({ length: 7 }, (_, row) => {
      let dots = 0;
      for (let column = 0; column < 5; column++) {
        const x = Math.floor((place * 6 + 1 + column + 0.5) * dot);
        const y = Math.floor((row + 1.5) * dot);
        const [red, green, blue] = pixels.subarray((y * size.width + x) * 4);
        const grey = (red! + green! + blue!) / 3;
        if (grey !== 0 && grey !== 255) throw new Error(`at ${x},${y} is neither black nor white`);
        dots = dots * 2 + (grey === 255 ? 1 : 0);
      }
      return dots;
    });
    const digit = DIGITS.findIndex((dots) => dots.every((row, index) => row === rows[index]));
    if (digit < 0) throw new Error(`no digit stands at place ${place}`);
    text += digit;
  }
  return Number(text);
}
