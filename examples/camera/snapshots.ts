import { createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { PNG } from "pngjs";
import type { FrameSize } from "./frame-size.js";

const INTERVAL_MS = 1000;
/** Older files are removed. */
const KEPT_FILES = 10;

/** Writes a frame to a PNG file once a second. */
export class Snapshots {
  readonly #folder: string;
  readonly #prefix: string;
  readonly #files: string[] = [];
  #dueMs = Number.NEGATIVE_INFINITY;
  #written = 0;
  #writing: Promise<void> | undefined;
  #failure: unknown;

  /** The files are `<prefix>-<the frame's number>.png`. */
  constructor(folder: string, prefix: string) {
    this.#folder = folder;
    this.#prefix = prefix;
  }

  /** How many files were written, the newest of which are still there. */
  get written(): number {
    return this.#written;
  }

  /** The file that was written last. */
  get newest(): string | undefined {
    return this.#files.at(-1);
  }

  /**
   * Takes this frame if it is time for one and the one before is written. The pixels are copied before this returns.
   * Throws what went wrong with the one before.
   */
  offer(pixels: Uint8Array, size: FrameSize, number: bigint): void {
    if (this.#failure !== undefined) throw this.#failure;
    const nowMs = performance.now();
    if (this.#writing !== undefined || nowMs < this.#dueMs) return;
    this.#dueMs = nowMs + INTERVAL_MS;
    // A frame without much compression: the processor has better things to do.
    const picture = new PNG({ ...size, deflateLevel: 1, filterType: 0 });
    picture.data.set(pixels);
    const name = `${this.#prefix}-${String(number).padStart(8, "0")}.png`;
    this.#writing = this.#write(picture, join(this.#folder, name))
      .catch((error: unknown) => {
        this.#failure = error;
      })
      .finally(() => {
        this.#writing = undefined;
      });
  }

  /** Resolves when the last file is written; rejects where that failed. */
  async end(): Promise<void> {
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #write(picture: PNG, file: string): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    await pipeline(picture.pack(), createWriteStream(file));
    this.#files.push(file);
    this.#written++;
    if (this.#files.length > KEPT_FILES) await rm(this.#files.shift()!, { force: true });
  }
}
