import type { Limits } from "protoipc";
import { EXIT_USAGE, ProgramError, wholeNumber } from "../hostwatch/command-line.js";

const BYTES_PER_PIXEL = 4;

/** The width and height of a frame, in pixels. */
export interface FrameSize {
  readonly width: number;
  readonly height: number;
}

interface Range {
  readonly least: number;
  readonly most: number;
}

/** What `--width` and `--height` may be: the frame's number has room, and a frame is no larger than 33 MB. */
export const WIDTHS: Range = { least: 64, most: 3840 };
export const HEIGHTS: Range = { least: 16, most: 2160 };

/** Of the pixels. */
export function frameBytes({ width, height }: FrameSize): number {
  return width * height * BYTES_PER_PIXEL;
}

/** Such as "1920x1080". */
export function sizeName({ width, height }: FrameSize): string {
  return `${width}x${height}`;
}

/** What a message has besides its pixels, and more. */
const REST_BYTES = 4096;

/**
 * For the endpoints at both ends. A frame is larger than messages are by default. And a consumer that falls behind is not
 * sent more than two frames ahead: what it will not read in time is dropped, and not delivered late.
 */
export const CAMERA_LIMITS: Partial<Limits> = {
  maxMessageBytes: frameBytes({ width: WIDTHS.most, height: HEIGHTS.most }) + REST_BYTES,
  initialMessages: 2,
  windowMessages: 2,
};

/** The size that an option has, written like "1920x1080". */
export function parseSize(option: string, text: string): FrameSize {
  const [, width, height] = text.match(/^(\d+)x(\d+)$/) ?? [];
  if (width === undefined || height === undefined) {
    const message = `--${option} is ${JSON.stringify(text)}; it must be a width and a height such as 1920x1080`;
    throw new ProgramError(EXIT_USAGE, message);
  }
  return {
    width: wholeNumber(`${option}: width`, width, { fallback: 0, ...WIDTHS }),
    height: wholeNumber(`${option}: height`, height, { fallback: 0, ...HEIGHTS }),
  };
}
