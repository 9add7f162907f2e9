import { Latencies } from "../hostwatch/latency.js";
import { type FrameSize, frameBytes, sizeName } from "./frame-size.js";

/** What there was of one size. */
export interface SizeTally extends FrameSize {
  readonly frames: number;
  readonly bytes: number;
  readonly copies: number;
  /** Of the latest 10,000 frames, in microseconds; 0 where nothing was measured. */
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
}

interface Counted {
  readonly size: FrameSize;
  frames: number;
  copies: number;
  readonly latencies: Latencies;
}

/** Counts frames apart by their size. */
export class Tally {
  readonly #sizes = new Map<string, Counted>();

  get frames(): number {
    return this.#sum((counted) => counted.frames);
  }

  get bytes(): number {
    return this.#sum(({ size, frames }) => frames * frameBytes(size));
  }

  get copies(): number {
    return this.#sum((counted) => counted.copies);
  }

  /** Counts a frame, how often its pixels were copied here, and how late it was read where that was measured. */
  add(size: FrameSize, copies: number, latencyMs?: number): void {
    const name = sizeName(size);
    let counted = this.#sizes.get(name);
    if (counted === undefined) {
      const { width, height } = size;
      counted = { size: { width, height }, frames: 0, copies: 0, latencies: new Latencies() };
      this.#sizes.set(name, counted);
    }
    counted.frames++;
    counted.copies += copies;
    if (latencyMs !== undefined) counted.latencies.add(latencyMs);
  }

  /** In the order in which the sizes came. */
  sizes(): SizeTally[] {
    return Array.from(this.#sizes.values(), ({ size, frames, copies, latencies }) => {
      const [p50Us = 0, p99Us = 0, p999Us = 0] = latencies.percentilesUs(0.5, 0.99, 0.999);
      return { ...size, frames, bytes: frames * frameBytes(size), copies, p50Us, p99Us, p999Us };
    });
  }

  #sum(of: (counted: Counted) => number): number {
    return Array.from(this.#sizes.values(), of).reduce((sum, value) => sum + value, 0);
  }
}
