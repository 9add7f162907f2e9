import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { open } from "protoipc";
import { PNG } from "pngjs";
import { afterAll, describe, expect, it, vi } from "vitest";
import type { ConsumerResult, DemoResult } from "../../examples/camera/demo-result.js";
import { numberIn } from "./camera-picture.js";

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

type Program = "demo" | "producer" | "consumer";

function pathOf(program: Program): string {
  return fileURLToPath(new URL(`../../dist/examples/camera/${program}.js`, import.meta.url));
}

async function runProgram(program: Program, ...args: readonly string[]): Promise<Run> {
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, [pathOf(program), ...args])) };
  } catch (error) {
    const { code, stdout, stderr } = error as Error & Run;
    return { code, stdout, stderr };
  }
}

/** A program that runs until it is told to end. */
function startProgram(program: Program, ...args: readonly string[]) {
  const child = spawn(process.execPath, [pathOf(program), ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const lines: string[] = [];
  let errors = "";
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  child.stderr.on("data", (chunk) => {
    errors += String(chunk);
  });
  const closed = once(child, "close").then(([code]) => Number(code));
  return { child, lines, closed, errors: () => errors };
}

function resultOf(stdout: string): DemoResult {
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as DemoResult;
}

/** What holds for every run, whatever the machine can do. */
function expectSound(result: DemoResult): void {
  const { producer, consumers } = result;
  expect(producer.frames).toBeGreaterThan(0);
  for (const { name, frames, lost, bytes, sizes, checksumErrors } of consumers) {
    expect(frames, name).toBeGreaterThan(0);
    expect(frames + lost, name).toBe(producer.frames);
    expect(checksumErrors, name).toBe(0);
    expect(bytes, name).toBe(
      sizes.reduce((sum, size) => sum + size.frames * size.width * size.height * 4, 0),
    );
    for (const { p50Us, p99Us, p999Us } of sizes) {
      expect(p50Us, name).toBeGreaterThan(0);
      expect(p99Us, name).toBeGreaterThanOrEqual(p50Us);
      expect(p999Us, name).toBeGreaterThanOrEqual(p99Us);
    }
  }
}

async function pictures(folder: string) {
  const files = (await readdir(folder)).sort();
  return await Promise.all(
    files.map(async (file) => {
      const { width, height, data } = PNG.sync.read(await readFile(join(folder, file)));
      return { file, width, height, number: numberIn(data, { width, height }) };
    }),
  );
}

const folder = await mkdtemp(join(tmpdir(), "camera-test-"));
// For the programs too. What those leave that are killed goes with it.
process.env["PROTOIPC_DIR"] = join(folder, "names");
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Without the native part there is no shared memory; where everything must be there, that is a failure. */
const shm = await open({ name: `shm:camera-probe-${process.pid}` }).then(
  async (endpoint) => {
    await endpoint.close();
    return true;
  },
  () => process.env["CI"] === "true",
);

describe("the camera over a socket", () => {
  it("shows three consumers every frame that it counts", { timeout: 60_000 }, async () => {
    const snapshots = join(folder, "unix");
    const small = ["--width", "200", "--height", "100", "--fps", "30", "--seconds", "3"];
    const run = await runProgram("demo", "--transport", "unix", ...small, "--snapshots", snapshots);
    expect(run).toMatchObject({ code: 0, stderr: "" });
    const result = resultOf(run.stdout);
    expectSound(result);
    expect(result).toMatchObject({ transport: "unix", fps: 30, comparisons: [] });
    expect(result.consumers.map(({ name }) => name)).toEqual(["checksum", "histogram", "snapshot"]);
    for (const { transport, copies, frames } of result.consumers) {
      expect(transport).toBe("unix");
      expect(copies).toBe(frames);
    }
    const received = result.consumers.reduce((sum, { frames }) => sum + frames, 0);
    expect(result.producer.copies).toBe(received);

    expect(run.stdout).toContain("demo: over unix, every frame is copied\n");
    expect(run.stdout).toMatch(/^producer: \d+\.\d frames\/s to 3 consumers \|/m);
    expect(run.stdout).toMatch(/^histogram: .*\| dark [ ▁▂▃▄▅▆▇█]{32} bright$/m);
    expect(run.stdout).toMatch(/│ checksum +│ 200x100 +│ +\d+ │/);

    const shown = await pictures(snapshots);
    expect(shown.length).toBe(result.consumers[2]!.snapshots);
    expect(shown.length).toBeGreaterThan(1);
    for (const { file, width, height, number } of shown) {
      expect({ width, height }).toEqual({ width: 200, height: 100 });
      expect(file).toBe(`snapshot-${String(number).padStart(8, "0")}.png`);
    }
    expect(new Set(shown.map(({ number }) => number)).size).toBe(shown.length);
  });

  it("compares two sizes", { timeout: 60_000 }, async () => {
    const sizes = ["--width", "640", "--height", "360", "--seconds", "1", "--compare"];
    const run = await runProgram("demo", "--transport", "unix", ...sizes);
    expect(run).toMatchObject({ code: 0, stderr: "" });
    const result = resultOf(run.stdout);
    expectSound(result);
    expect(result.consumers.length).toBe(1);
    expect(result.comparisons).toMatchObject([
      { consumer: "checksum", larger: "640x360", smaller: "128x128" },
    ]);
    const [larger, smaller] = result.consumers[0]!.sizes;
    expect(result.comparisons[0]!.p50).toBeCloseTo(larger!.p50Us / smaller!.p50Us, 1);
    expect(run.stdout).toContain("640x360 takes as long as 128x128 times ");
  });
});

describe.each(["unix", "shm"])("the camera over %s, when its producer dies", (transport) => {
  const here = it.skipIf(transport === "shm" && !shm);

  here("tells what there was to the end", { timeout: 60_000 }, async () => {
    const args = ["--transport", transport, "--width", "256", "--height", "256", "--seconds", "60"];
    const demo = startProgram("demo", ...args, "--consumers", "2");
    try {
      await vi.waitUntil(() => demo.lines.some((line) => /^checksum: \d+\.\d frames/.test(line)), {
        timeout: 20_000,
      });
      process.kill(await producerOf(demo.child.pid!), "SIGKILL");
      expect(await demo.closed).toBe(1);
      expect(demo.errors()).toContain("the producer ended with SIGKILL\n");
      const result = resultOf(demo.lines.join("\n"));
      expect(result.producer.frames).toBe(0);
      expect(result.consumers.map(({ frames, checksumErrors }) => [frames > 0, checksumErrors])).toEqual([
        [true, 0],
        [true, 0],
      ]);
    } finally {
      demo.child.kill("SIGTERM");
      await demo.closed;
    }
  });

  here("waits for a camera, and for the next one when that has died", { timeout: 60_000 }, async () => {
    const address = `${transport}:camera-test-${process.pid}`;
    const small = ["--name", address, "--width", "256", "--height", "256"];
    const consumer = startProgram("consumer", "--from", address);
    const says = (text: RegExp, times: number): Promise<boolean> =>
      vi.waitUntil(() => consumer.lines.filter((line) => text.test(line)).length >= times, {
        timeout: 20_000,
      });
    const reads = new RegExp(`^checksum: reads test-chart at .+ \\(${transport}\\)$`);
    const started: ReturnType<typeof startProgram>[] = [consumer];
    try {
      await says(/^checksum: waits for the camera: /, 1);
      const first = startProgram("producer", ...small);
      started.push(first);
      await says(reads, 1);
      await says(/^checksum: [1-9]\d*\.\d frames\/s/, 1);
      first.child.kill("SIGKILL");
      await says(/^checksum: waits for the camera: /, 2);
      const second = startProgram("producer", ...small);
      started.push(second);
      await says(reads, 2);
      second.child.kill("SIGTERM");
      expect(await second.closed).toBe(0);
      expect(await consumer.closed).toBe(0);
      expect(consumer.errors()).toBe("");
    } finally {
      for (const { child } of started) child.kill("SIGKILL");
      await Promise.all(started.map(({ closed }) => closed));
    }
  });
});

describe.skipIf(!shm)("the camera over shared memory", () => {
  const expectNoCopies = ({ producer, consumers }: DemoResult): void => {
    expect(producer.copies).toBe(0);
    expect(consumers.map(({ transport, copies }: ConsumerResult) => [transport, copies])).toEqual(
      consumers.map(() => ["shm", 0]),
    );
  };

  it("copies no frame of 64 KiB", { timeout: 60_000 }, async () => {
    const small = ["--width", "128", "--height", "128", "--seconds", "2"];
    const run = await runProgram("demo", ...small, "--snapshots", join(folder, "small"));
    expect(run).toMatchObject({ code: 0, stderr: "" });
    const result = resultOf(run.stdout);
    expectSound(result);
    expectNoCopies(result);
  });

  it("copies no frame of 8 MB, and writes down what it sees", { timeout: 60_000 }, async () => {
    const snapshots = join(folder, "shm");
    const run = await runProgram("demo", "--seconds", "3", "--snapshots", snapshots);
    expect(run).toMatchObject({ code: 0, stderr: "" });
    const result = resultOf(run.stdout);
    expectSound(result);
    expectNoCopies(result);
    expect(result.producer.sizes).toMatchObject([{ width: 1920, height: 1080 }]);
    const shown = await pictures(snapshots);
    expect(shown.length).toBeGreaterThan(1);
    expect(new Set(shown.map(({ number }) => number)).size).toBe(shown.length);
    for (const { file, number } of shown) expect(file).toContain(String(number).padStart(8, "0"));
  });

  it("goes on when a consumer is stopped, and counts what that one loses", { timeout: 60_000 }, async () => {
    const small = ["--width", "256", "--height", "256", "--seconds", "5"];
    const demo = startProgram("demo", ...small, "--snapshots", join(folder, "stopped"));
    try {
      await vi.waitUntil(() => demo.lines.some((line) => /^histogram: \d+\.\d frames/.test(line)), {
        timeout: 20_000,
      });
      const stopped = await childOf(demo.child.pid!, "histogram");
      process.kill(stopped, "SIGSTOP");
      await new Promise((resolve) => setTimeout(resolve, 1000));
      process.kill(stopped, "SIGCONT");
      expect(await demo.closed).toBe(0);
      const result = resultOf(demo.lines.join("\n"));
      expectSound(result);
      expectNoCopies(result);
      const [checksum, histogram] = result.consumers;
      expect(histogram!.lost).toBeGreaterThan(checksum!.lost);
    } finally {
      demo.child.kill("SIGTERM");
      await demo.closed;
    }
  });
});

describe("the camera's command lines", () => {
  it("help", async () => {
    for (const program of ["demo", "producer", "consumer"] as const) {
      const { code, stdout } = await runProgram(program, "--help");
      expect(code).toBe(0);
      expect(stdout).toContain(`Usage: ${program}.js [options]`);
    }
  });

  it("refuse wrong arguments", async () => {
    for (const [program, args, message] of [
      ["demo", ["--transport", "pigeon"], '--transport is "pigeon"; it must be shm or unix\nTry --help.\n'],
      ["demo", ["--width", "63"], '--width is "63"; it must be a whole number from 64 to 3840\n'],
      ["demo", ["--consumers", "9"], '--consumers is "9"; it must be a whole number from 1 to 8\n'],
      ["producer", ["--fps", "0"], '--fps is "0"; it must be'],
      ["producer", ["--next-size", "9"], '--next-size is "9"; it must be a width and a height such as'],
      ["consumer", ["--kind", "x"], '--kind is "x"; it must be checksum, histogram or snapshot\n'],
    ] as const) {
      const { code, stdout, stderr } = await runProgram(program, ...args);
      expect({ code, stdout }, message).toEqual({ code: 2, stdout: "" });
      expect(stderr).toContain(message);
    }
  });
});

/** The process of the demo's producer. */
function producerOf(demo: number): Promise<number> {
  return childOf(demo, "producer.js");
}

/** The child of a process that has `word` in its arguments. */
async function childOf(parent: number, word: string): Promise<number> {
  const children = await readFile(`/proc/${parent}/task/${parent}/children`, "utf8");
  for (const pid of children.trim().split(" ")) {
    const line = await readFile(`/proc/${pid}/cmdline`, "utf8");
    if (line.split("\0").some((argument) => argument.endsWith(word))) return Number(pid);
  }
  throw new Error(`process ${parent} has no child ${word}`);
}
