import type { FrameSize } from "./frame-size.js";

/** The digits 0 to 9: seven rows of five dots, the leftmost dot being the highest bit. */
export const DIGITS: readonly (readonly number[])[] = [
  [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110],
  [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
  [0b01110, 0b10001, 0b00001, 0b00010, 0b00100, 0b01000, 0b11111],
  [0b11111, 0b00010, 0b00100, 0b00010, 0b00001, 0b10001, 0b01110],
  [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010],
  [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110],
  [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110],
  [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000],
  [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110],
  [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100],
];
const DOT_COLUMNS = 5;
const DOT_ROWS = 7;
/** How many digits of the frame's number are shown: at 60 frames a second they suffice for 19 days. */
export const SHOWN_DIGITS = 8;

const WHITE = -1;
const BLACK = 0xff << 24;

/** Where the number stands: a black box in the upper left corner, all in pixels. */
export interface NumberBox {
  /** The edge of a dot. Each digit is 5 dots wide and 7 high; a dot is free around each. */
  readonly dot: number;
  readonly width: number;
  readonly height: number;
}

export function numberBox({ width, height }: FrameSize): NumberBox {
  const columns = SHOWN_DIGITS * (DOT_COLUMNS + 1) + 1;
  const rows = DOT_ROWS + 2;
  const dot = Math.max(1, Math.floor(Math.min(width / 4 / columns, height / 8 / rows)));
  return { dot, width: columns * dot, height: rows * dot };
}

/** Burns the last digits of `number` into a frame. */
export function drawNumber(pixels: DataView, size: FrameSize, number: number): void {
  const box = numberBox(size);
  fill(pixels, size, { x: 0, y: 0, width: box.width, height: box.height }, BLACK);
  const text = String(number).padStart(SHOWN_DIGITS, "0").slice(-SHOWN_DIGITS);
  for (let place = 0; place < SHOWN_DIGITS; place++) {
    const rows = DIGITS[Number(text[place])]!;
    const left = place * (DOT_COLUMNS + 1) + 1;
    rows.forEach((dots, row) => {
      for (let column = 0; column < DOT_COLUMNS; column++) {
        if (((dots >> (DOT_COLUMNS - 1 - column)) & 1) === 0) continue;
        const dot = { x: (left + column) * box.dot, y: (row + 1) * box.dot, width: box.dot, height: box.dot };
        fill(pixels, size, dot, WHITE);
      }
    });
  }
}

interface Area extends FrameSize {
  readonly x: number;
  readonly y: number;
}

function fill(pixels: DataView, size: FrameSize, area: Area, colour: number): void {
  for (let y = area.y; y < area.y + area.height; y++) {
    for (let x = area.x; x < area.x + area.width; x++) {
      pixels.setInt32((y * size.width + x) * 4, colour, true);
    }
  }
}
