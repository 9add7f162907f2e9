import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { type DemoResult, problemsOf } from "../../examples/hostwatch/demo-result.js";

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function runProgram(program: "demo" | "viewer", ...args: readonly string[]): Promise<Run> {
  const path = fileURLToPath(new URL(`../../dist/examples/hostwatch/${program}.js`, import.meta.url));
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, [path, ...args])) };
  } catch (error) {
    const { code, stdout, stderr } = error as Error & Run;
    return { code, stdout, stderr };
  }
}

function resultOf({ stdout }: Run): DemoResult {
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as DemoResult;
}

describe("the demo", () => {
  it("loses nothing, and makes every kind of call; three can run side by side", {
    timeout: 40_000,
  }, async () => {
    const runs = await Promise.all([
      runProgram("demo", "--seconds", "3"),
      runProgram("demo", "--seconds", "3", "--transport", "unix"),
      runProgram("demo", "--seconds", "3", "--transport", "pipe"),
    ]);
    for (const run of runs) {
      expect(run).toMatchObject({ code: 0, stderr: "" });
      const result = resultOf(run);
      expect(problemsOf(result, false)).toEqual([]);
      expect(result.lost).toBe(0);
      expect(result.samples).toBe(result.published);
      // Ten times a second, memory and load at least.
      expect(result.samples).toBeGreaterThan(20);
      expect(result.calls.unary).toBeGreaterThan(10);
      expect(result.bytes).toBeGreaterThan(result.samples);
      expect(result.unaryP99Us).toBeGreaterThanOrEqual(result.unaryP50Us);
      expect(run.stdout).toMatch(/^cpu \d+ % of \d+ cores \| memory /m);
    }
    expect(runs[0]!.stdout).toMatch(/^viewer: over \w+, as \w+ is the best of .*unix, pipe$/m);
    expect(resultOf(runs[1]!).transport).toBe("unix");
    expect(runs[2]!.stdout).toContain("viewer: over pipe, as the address names it\n");
    expect(resultOf(runs[2]!).transport).toBe("pipe");
  });

  it("accounts for every publication that a stopped viewer loses", { timeout: 60_000 }, async () => {
    const run = await runProgram("demo", "--seconds", "7", "--stall-viewer");
    expect(run).toMatchObject({ code: 0, stderr: "" });
    const { published, samples, lost } = resultOf(run);
    expect(lost).toBeGreaterThan(0);
    expect(samples).toBeGreaterThan(0);
    expect(samples + lost).toBe(published);
  });

  it("helps", async () => {
    for (const program of ["demo", "viewer"] as const) {
      const { code, stdout } = await runProgram(program, "--help");
      expect(code).toBe(0);
      expect(stdout).toContain(`Usage: ${program}.js [options]`);
    }
  });

  it("refuses wrong arguments", async () => {
    const wrong = await runProgram("demo", "--transport", "pigeon");
    expect(wrong).toMatchObject({ code: 2, stdout: "" });
    expect(wrong.stderr).toContain('--transport is "pigeon"; it must be auto, shm, unix or pipe\n');
    const short = await runProgram("demo", "--stall-viewer", "--seconds", "5");
    expect(short.stderr).toContain('--seconds is "5"; it must be a whole number from 6 to 3600\n');
  });

  it("has a viewer that says so when there is no daemon", async () => {
    const run = await runProgram("viewer", "--from", `nobody-${process.pid}`);
    expect(run.code).toBe(1);
    expect(run.stderr).toContain(`nobody-${process.pid}`);
  });
});

describe("the demo's judgement", () => {
  const good: DemoResult = {
    transport: "unix",
    published: 10,
    samples: 10,
    lost: 0,
    calls: { unary: 1, serverStream: 1, clientStream: 1, bidi: 1, oneWay: 1 },
    bytes: 100,
    unaryP50Us: 1,
    unaryP99Us: 2,
  };

  it("finds nothing wrong with a good run", () => {
    expect(problemsOf(good, false)).toEqual([]);
    expect(problemsOf({ ...good, samples: 7, lost: 3 }, true)).toEqual([]);
  });

  it("finds what is wrong", () => {
    expect(problemsOf({ ...good, samples: 9 }, false)).toEqual([
      "10 publications were made, but 9 received and 0 reported as lost",
    ]);
    expect(problemsOf({ ...good, samples: 9, lost: 1 }, false)).toEqual(["1 publications were lost"]);
    expect(problemsOf({ ...good, published: 0, samples: 0 }, false)).toEqual(["nothing was received"]);
    expect(problemsOf(good, true)).toEqual(["the viewer was stopped for a while, but nothing was lost"]);
    expect(problemsOf({ ...good, calls: { ...good.calls, bidi: 0 } }, false)).toEqual([
      "no bidi call ended well",
    ]);
  });
});
