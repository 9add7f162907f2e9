import { setTimeout as sleep } from "node:timers/promises";
import { crc32 } from "node:zlib";
import type { PublisherOf } from "protoipc";
import type { Camera } from "../../gen/camera/v1/camera_protoipc.js";
import { drawChart } from "./chart.js";
import { type FrameSize, frameBytes } from "./frame-size.js";
import type { ProcessResult } from "./report.js";
import { Tally } from "./tally.js";

/** How long consumers may take to read the last frame, and how often we look. */
const LEAVE_MS = 5000;
const LOOK_MS = 5;

/** Frames of one size. */
export interface Capture {
  readonly size: FrameSize;
  readonly fps: number;
  readonly durationMs: number;
}

/** Draws frames and publishes them, and counts what becomes of them. */
export class FrameProducer {
  readonly #publisher: PublisherOf<typeof Camera.frames>;
  readonly #key: { readonly camera: string };
  readonly #tally = new Tally();
  #number = 0;
  #framesTold = 0;
  #drawingMs = 0;
  #publishingMs = 0;

  constructor(publisher: PublisherOf<typeof Camera.frames>, camera: string) {
    this.#publisher = publisher;
    this.#key = { camera };
  }

  /** Publishes frames of one size without drift, until the time is over or it is stopped. */
  async capture({ size, fps, durationMs }: Capture, stop: AbortSignal): Promise<void> {
    const intervalMs = 1000 / fps;
    let dueMs = performance.now();
    const endMs = dueMs + durationMs;
    while (dueMs < endMs && !stop.aborted) {
      this.#shoot(size, false);
      // Frames for which there was no time are left out.
      dueMs = Math.max(dueMs + intervalMs, performance.now());
      await sleep(dueMs - performance.now(), undefined, { signal: stop }).catch(() => undefined);
    }
  }

  /** Publishes a last frame, and resolves when every consumer has read it and left, or after a while. */
  async finish(size: FrameSize): Promise<void> {
    this.#shoot(size, true);
    const endMs = performance.now() + LEAVE_MS;
    while (this.#publisher.subscribers > 0 && performance.now() < endMs) await sleep(LOOK_MS);
  }

  #shoot(size: FrameSize, isLast: boolean): void {
    const startMs = performance.now();
    const number = ++this.#number;
    // Room for the frame where the consumers can read it. It is given back here if it is not published.
    using loan = this.#publisher.loan(this.#key, frameBytes(size), { field: "pixels" });
    const pixels = loan.bytes;
    drawChart(pixels, size, number);
    const checksum = crc32(pixels);
    const drawnMs = performance.now();
    const publishedAtNs = process.hrtime.bigint();
    loan.publish({ ...size, number: BigInt(number), crc32: checksum, publishedAtNs, isLast });
    this.#publishingMs += performance.now() - drawnMs;
    this.#drawingMs += drawnMs - startMs;
    // What was copied on the way is seen by those who receive it.
    this.#tally.add(size, 0);
  }

  line(seconds: number): string {
    const frames = this.#tally.frames - this.#framesTold;
    this.#framesTold += frames;
    const perFrame = (ms: number): number => (frames === 0 ? 0 : ms / frames);
    const parts = [
      `${(frames / seconds).toFixed(1)} frames/s to ${this.#publisher.subscribers} consumers`,
      `drawn in ${perFrame(this.#drawingMs).toFixed(1)} ms`,
      `published in ${Math.round(perFrame(this.#publishingMs) * 1000)} us`,
    ];
    this.#drawingMs = 0;
    this.#publishingMs = 0;
    return `producer: ${parts.join(" | ")}`;
  }

  result(): ProcessResult {
    const sizes = this.#tally.sizes();
    return { name: "producer", transport: "", lost: 0, checksumErrors: 0, snapshots: 0, sizes };
  }
}
