import { setTimeout as sleep } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { type BorrowedPublication, type Endpoint, isIpcError, type Subscription } from "protoipc";
import type { CameraKey, Frame } from "../../gen/camera/v1/camera_pb.js";
import { Camera } from "../../gen/camera/v1/camera_protoipc.js";
import { Latencies } from "../hostwatch/latency.js";
import type { Reader } from "./readers.js";
import type { ProcessResult } from "./report.js";
import { Tally } from "./tally.js";

const RETRY_MS = 200;
/** A camera that is there within a second is not worth a word. */
const QUIET_TRIES = 5;

type Frames = Subscription<CameraKey, Frame, BorrowedPublication<CameraKey, Frame>>;

/** Where the frames come from. */
export interface Source {
  readonly from: string;
  readonly camera: string;
}

/** Reads every byte of a camera's frames, and counts what becomes of them. */
export class FrameConsumer {
  readonly reader: Reader;
  readonly #name: string;
  readonly #tally = new Tally();
  #latencies = new Latencies();
  #framesTold = 0;
  #lost = 0;
  #checksumErrors = 0;
  #transport = "";

  constructor(name: string, reader: Reader) {
    this.#name = name;
    this.reader = reader;
  }

  /** Reads frames until the producer has no more. When it is not there, or dies, its successor is waited for. */
  async follow(endpoint: Endpoint, source: Source, stop: AbortSignal): Promise<void> {
    let tries = 0;
    for (;;) {
      try {
        const producer = await endpoint.connect(source.from, { signal: stop });
        this.#transport = producer.link.transport;
        const subscription = endpoint.subscribe(
          Camera.frames,
          { camera: source.camera },
          { from: producer, signal: stop, borrow: true },
        );
        await subscription.ready();
        this.#say(`reads ${source.camera} at ${producer.link.location} (${this.#transport})`);
        tries = 0;
        await this.#read(subscription);
        return;
      } catch (error) {
        if (stop.aborted) return;
        if (!isIpcError(error) || error.code !== "UNAVAILABLE") throw error;
        if (++tries === QUIET_TRIES) this.#say(`waits for the camera: ${error.message}`);
      }
      await sleep(RETRY_MS, undefined, { signal: stop }).catch(() => undefined);
      if (stop.aborted) return;
    }
  }

  async #read(subscription: Frames): Promise<void> {
    try {
      // The pixels are the producer's memory, and ours to read until the loop asks for the next publication.
      for await (const { message, isBorrowed } of subscription) {
        const { pixels, width, height, number } = message;
        // The access that the latency is measured to. There is nothing to access where the producer has died.
        if (pixels[0] === undefined) continue;
        const latencyNs = process.hrtime.bigint() - message.publishedAtNs;
        const latencyMs = Number(latencyNs) / 1_000_000;
        this.#tally.add({ width, height }, isBorrowed ? 0 : 1, latencyMs);
        this.#latencies.add(latencyMs);
        if (crc32(pixels) !== message.crc32) this.#checksumErrors++;
        this.reader.read(pixels, { width, height }, number);
        if (message.isLast) break;
      }
    } finally {
      this.#lost += subscription.lost;
    }
  }

  line(seconds: number): string {
    const frames = this.#tally.frames - this.#framesTold;
    this.#framesTold += frames;
    const [p50Us, p99Us] = this.#latencies.percentilesUs(0.5, 0.99);
    this.#latencies = new Latencies();
    const parts = [
      `${(frames / seconds).toFixed(1)} frames/s`,
      `first byte after ${p50Us} us (p50), ${p99Us} us (p99)`,
      `${this.#checksumErrors} checksum errors`,
      `${this.#tally.copies} copies`,
      ...(this.reader.told?.() ?? []),
    ];
    return `${this.#name}: ${parts.join(" | ")}`;
  }

  result(): ProcessResult {
    return {
      name: this.#name,
      transport: this.#transport,
      lost: this.#lost,
      checksumErrors: this.#checksumErrors,
      snapshots: this.reader.snapshots ?? 0,
      sizes: this.#tally.sizes(),
    };
  }

  #say(text: string): void {
    process.stdout.write(`${this.#name}: ${text}\n`);
  }
}
