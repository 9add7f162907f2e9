import { describe, expect, it } from "vitest";
import { drawChart } from "../../examples/camera/chart.js";
import { type DemoResult, demoResult, problemsOf } from "../../examples/camera/demo-result.js";
import { DIGITS, numberBox, SHOWN_DIGITS } from "../../examples/camera/digits.js";
import { type FrameSize, frameBytes } from "../../examples/camera/frame-size.js";
import { barLine, brightnessHistogram } from "../../examples/camera/histogram.js";
import type { ProcessResult } from "../../examples/camera/report.js";
import { renderComparisons, renderTable } from "../../examples/camera/table.js";
import { Tally } from "../../examples/camera/tally.js";
import { numberIn } from "./camera-picture.js";

const SMALL: FrameSize = { width: 64, height: 16 };
const MIDDLE: FrameSize = { width: 320, height: 180 };
const LARGE: FrameSize = { width: 1920, height: 1080 };

function chart(size: FrameSize, number: number): Uint8Array {
  const pixels = new Uint8Array(frameBytes(size));
  drawChart(pixels, size, number);
  return pixels;
}

describe("the test chart", () => {
  it("shows the frame's number", () => {
    for (const size of [SMALL, MIDDLE, LARGE]) {
      const { width, height } = numberBox(size);
      expect(width).toBeLessThanOrEqual(size.width);
      expect(height).toBeLessThanOrEqual(size.height);
      for (const number of [1, 1_234_567, 89_000_000]) {
        expect(numberIn(chart(size, number), size), `${size.width} pixels wide`).toBe(number);
      }
    }
    expect(numberIn(chart(SMALL, 7_123_456_789), SMALL)).toBe(23_456_789);
    expect(DIGITS.length).toBe(10);
    expect(SHOWN_DIGITS).toBe(8);
  });

  it("changes from frame to frame, in every part of the picture", () => {
    const [before, after] = [chart(MIDDLE, 41), chart(MIDDLE, 42)];
    const tile = 20;
    const same: string[] = [];
    for (let top = 0; top < MIDDLE.height; top += tile) {
      for (let left = 0; left < MIDDLE.width; left += tile) {
        let changed = 0;
        for (let y = top; y < top + tile; y++) {
          const row = (y * MIDDLE.width + left) * 4;
          for (let offset = row; offset < row + tile * 4; offset++) {
            if (before[offset] !== after[offset]) changed++;
          }
        }
        // A box covers some of the first tile; all else changes nearly everywhere.
        const box = numberBox(MIDDLE);
        const covered = Math.max(0, box.width - left) * Math.max(0, box.height - top);
        if (changed < tile * tile - covered) same.push(`${left},${top}: ${changed}`);
      }
    }
    expect(same).toEqual([]);
  });

  it("is opaque, and the same wherever it is drawn", () => {
    const plain = chart(MIDDLE, 3);
    for (let offset = 3; offset < plain.length; offset += 4) {
      if (plain[offset] !== 255) throw new Error(`the alpha at ${offset} is ${plain[offset]}`);
    }
    for (const offset of [1, 2, 3]) {
      const room = new Uint8Array(plain.length + 8).fill(77);
      drawChart(room.subarray(offset, offset + plain.length), MIDDLE, 3);
      expect(Buffer.compare(room.subarray(offset, offset + plain.length), plain), `at ${offset}`).toBe(0);
      expect(room.subarray(0, offset).every((byte) => byte === 77)).toBe(true);
      expect(room.subarray(offset + plain.length).every((byte) => byte === 77)).toBe(true);
    }
    expect(() => drawChart(new Uint8Array(4), MIDDLE, 1)).toThrow(/^4 bytes were given to be drawn in/);
  });
});

describe("the histogram", () => {
  it("counts pixels by their brightness", () => {
    const rgba = [0, 0, 0, 255, 255, 255, 255, 0, 255, 0, 0, 9, 0, 255, 0, 9, 0, 0, 255, 9];
    const bytes = new Uint8Array(rgba.length + 1);
    bytes.set(rgba, 1);
    const bins = brightnessHistogram(bytes.subarray(1));
    const counted = Array.from(bins.entries()).filter(([, count]) => count > 0);
    expect(counted).toEqual([
      [0, 1],
      [18, 1],
      [53, 1],
      [182, 1],
      [255, 1],
    ]);
  });

  it("is drawn as a line", () => {
    const bins = new Uint32Array(256);
    bins.set([8, 8], 64);
    bins[128] = 8;
    bins[255] = 1;
    expect(barLine(bins, 4)).toBe(" █▄▁");
    expect(barLine(new Uint32Array(256), 8)).toBe(" ".repeat(8));
  });
});

describe("the tally", () => {
  it("counts sizes apart", () => {
    const tally = new Tally();
    for (const latencyMs of [0.1, 0.3, 0.2]) tally.add(SMALL, 1, latencyMs);
    tally.add(MIDDLE, 0);
    expect(tally).toMatchObject({ frames: 4, copies: 3, bytes: 3 * 4096 + 230_400 });
    expect(tally.sizes()).toEqual([
      { ...SMALL, frames: 3, bytes: 3 * 4096, copies: 3, p50Us: 200, p99Us: 300, p999Us: 300 },
      { ...MIDDLE, frames: 1, bytes: 230_400, copies: 0, p50Us: 0, p99Us: 0, p999Us: 0 },
    ]);
  });
});

describe("the demo's judgement", () => {
  const size = { ...LARGE, frames: 9, bytes: 90, copies: 0, p50Us: 60, p99Us: 90, p999Us: 300 };
  const small = { ...SMALL, frames: 1, bytes: 10, copies: 1, p50Us: 40, p99Us: 90, p999Us: 100 };
  const consumer = { name: "checksum", transport: "shm", lost: 1, checksumErrors: 0, snapshots: 0 };
  const plan = { transport: "shm", fps: 60, consumers: ["checksum"] };
  const reports = new Map<string, ProcessResult>([
    [
      "producer",
      {
        ...consumer,
        name: "producer",
        lost: 0,
        sizes: [
          { ...size, frames: 10 },
          { ...small, copies: 0 },
        ],
      },
    ],
    ["checksum", { ...consumer, sizes: [size, small] }],
  ]);
  const good = demoResult(plan, reports);

  it("finds nothing wrong with a good run", () => {
    expect(good.producer).toMatchObject({ frames: 11, bytes: 100, copies: 1 });
    expect(good.consumers).toMatchObject([{ name: "checksum", frames: 10, lost: 1, copies: 1 }]);
    expect(problemsOf(good)).toEqual([]);
  });

  it("finds what is wrong", () => {
    const wrong = (change: Partial<DemoResult["consumers"][number]>): string[] =>
      problemsOf({ ...good, consumers: [{ ...good.consumers[0]!, ...change }] });
    expect(wrong({ lost: 0 })).toEqual([
      "11 frames were published, but the checksum received 10 and was told it lost 0",
    ]);
    expect(wrong({ frames: 0, lost: 11 })).toEqual(["the checksum received nothing"]);
    expect(wrong({ checksumErrors: 2 })).toEqual(["the checksum found 2 frames with a wrong checksum"]);
    expect(wrong({ transport: "unix" })).toEqual(["the checksum has a link over unix, not shm"]);
    expect(problemsOf(demoResult(plan, new Map()))).toEqual([
      "nothing was published",
      "the checksum received nothing",
      "the checksum has a link over nothing, not shm",
    ]);
  });

  it("compares sizes, and shows all in a table", () => {
    expect(good.comparisons).toEqual([
      { consumer: "checksum", larger: "1920x1080", smaller: "64x16", p50: 1.5, p99: 1, p999: 3 },
    ]);
    expect(renderComparisons(good)).toEqual([
      "checksum: until the first byte is read, 1920x1080 takes as long as 64x16 times 1.5 (p50), 1 (p99), 3 (p99.9)",
    ]);
    const rows = renderTable(good)
      .split("\n")
      .filter((line) => line.includes("x"))
      .map((line) => line.split("│").map((cell) => cell.trim()));
    expect(rows.map((cells) => cells.slice(1, -1))).toEqual([
      ["producer", "1920x1080", "10", "", "90 B", "0", "", "", ""],
      ["producer", "64x16", "1", "", "10 B", "1", "", "", ""],
      ["checksum", "1920x1080", "9", "1", "90 B", "0", "60.0", "90.0", "300.0"],
      ["checksum", "64x16", "1", "", "10 B", "1", "40.0", "90.0", "100.0"],
    ]);
    const nothing = renderTable(demoResult(plan, new Map()));
    expect(nothing).toMatch(/│ producer +│ +│ +0 │/);
  });
});
