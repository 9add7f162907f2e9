import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Endpoint, type IpcError, open } from "protoipc";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Process, SortBy } from "../../gen/hostwatch/v1/hostwatch_pb.js";
import { Annotator, Hostwatch, type HostwatchClient } from "../../gen/hostwatch/v1/hostwatch_protoipc.js";

const DAEMON = fileURLToPath(new URL("../../dist/examples/hostwatch/daemon.js", import.meta.url));
/** A machine that stands still: the same in every reading. */
const PROC = fileURLToPath(new URL("hostwatch-proc", import.meta.url));
const NAME = `hostwatch-test-${process.pid}`;

function startDaemon(args: readonly string[]) {
  const child = spawn(process.execPath, [DAEMON, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const lines: string[] = [];
  let errors = "";
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  child.stderr.on("data", (chunk) => {
    errors += String(chunk);
  });
  const closed = once(child, "close").then(([code]) => Number(code));
  return { child, lines, closed, errors: () => errors };
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => "OK",
    (error: IpcError) => error.code,
  );
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function pids(processes: readonly Process[]): number[] {
  return processes.map(({ pid }) => pid);
}

describe("the daemon", () => {
  let daemon: ReturnType<typeof startDaemon>;
  let endpoint: Endpoint;
  let client: HostwatchClient;

  beforeAll(async () => {
    daemon = startDaemon(["--name", NAME, "--proc", PROC, "--rate", "20"]);
    await vi.waitUntil(() => daemon.lines.length > 0, { timeout: 10_000 });
    endpoint = await open();
    client = endpoint.client(Hostwatch, NAME, { timeoutMs: 5000 });
  });

  afterAll(async () => {
    await endpoint?.close();
    daemon.child.kill("SIGKILL");
    await daemon.closed;
  });

  it("says where it listens", () => {
    expect(daemon.lines[0]).toMatch(/^hostwatch: listening at .+, publishing 20 times a second$/);
    expect(daemon.lines[0]).toContain(NAME);
  });

  it("lists processes", async () => {
    const all = await client.list({});
    expect(pids(all.processes)).toEqual([2, 4242, 4243]);
    expect(all).toMatchObject({ matched: 3, total: 3 });
    expect(all.processes[1]).toMatchObject({
      name: "a) R (odd) name",
      parentPid: 1,
      cpuMs: 2000n,
      threads: 3,
    });
    const some = await client.list({ filter: { nameContains: "T" }, sortBy: SortBy.MEMORY, limit: 1 });
    expect(pids(some.processes)).toEqual([2]);
    expect(some).toMatchObject({ matched: 2, total: 3 });
    expect(await codeOf(client.list({ limit: 1001 }))).toBe("INVALID_ARGUMENT");
  });

  it("puts labels on processes", async () => {
    const labels = [
      { pid: 4242, text: "odd" },
      { pid: 4243, text: "x" },
      { pid: 4243, text: "" },
      { pid: 99, text: "nobody" },
    ];
    expect(await client.label(labels)).toMatchObject({ applied: 3, unknown: 1 });
    const labelled = await client.list({ filter: { label: "odd" } });
    expect(pids(labelled.processes)).toEqual([4242]);
    expect(await codeOf(client.label([{ pid: 2, text: "x".repeat(65) }]))).toBe("INVALID_ARGUMENT");
  });

  it("watches a process", async () => {
    const seen = await collect(client.watch({ pid: 4242, intervalMs: 10, count: 3 }));
    expect(seen.map(({ name, cpu }) => [name, cpu])).toEqual(Array(3).fill(["a) R (odd) name", 0]));
    expect(await codeOf(collect(client.watch({ pid: 99 })))).toBe("NOT_FOUND");
    expect(await codeOf(collect(client.watch({ pid: 4242, intervalMs: 9 })))).toBe("INVALID_ARGUMENT");
  });

  it("answers one question after the other, and keeps the filter meanwhile", async () => {
    const replies = await collect(
      client.query([
        { command: { case: "family", value: { pid: 4242 } } },
        { command: { case: "filter", value: { nameContains: "two" } } },
        { command: { case: "top", value: { sortBy: SortBy.CPU, limit: 5 } } },
      ]),
    );
    expect(replies.map(({ number, title, processes }) => [number, title, pids(processes)])).toEqual([
      [1, "process 4242 and its children", [4242, 4243]],
      [2, "1 processes fit the filter", [4243]],
      [3, "top 5 by cpu", [4243]],
    ]);
    expect(await codeOf(collect(client.query([{}])))).toBe("INVALID_ARGUMENT");
  });

  it("logs lines, whatever is in them", async () => {
    await client.log({ text: "one\n\u001b[2Jtwo" });
    await expect.poll(() => daemon.lines).toContain("info: one??[2Jtwo");
  });

  it("calls back a peer that annotates processes", async () => {
    expect(await codeOf(client.useAnnotator({}))).toBe("UNIMPLEMENTED");
    await using other = await open();
    other.serve(Annotator, { annotate: ({ process: top }) => ({ text: `${top?.name} it is` }) });
    expect(await other.client(Hostwatch, NAME).useAnnotator({})).toMatchObject({
      pid: 2,
      text: "kthreadd it is",
    });
  });

  it("publishes what a filter asks for, and ends its topics well", async () => {
    await using subscriber = await open();
    const one = subscriber.subscribe(Hostwatch.cores, { core: 1 }, { from: NAME });
    const interfaces = subscriber.subscribe(Hostwatch.interfaces, {}, { from: NAME });
    const memory = subscriber.subscribe(Hostwatch.memory, { from: NAME });
    await Promise.all([one.ready(), interfaces.ready(), memory.ready()]);
    const received = Promise.all([collect(one), collect(interfaces), collect(memory)]);
    await expect.poll(() => memory.received, { timeout: 5000 }).toBeGreaterThan(4);

    const { published } = await client.endTopics({});
    const [cores, links, memories] = await received;
    expect(new Set(cores.map(({ key }) => key.core))).toEqual(new Set([1]));
    expect(new Set(links.map(({ key }) => key.name))).toEqual(new Set(["lo", "ifb0", "ifb1", "eth0"]));
    expect(links.find(({ key }) => key.name === "eth0")!.message).toMatchObject({
      receivedBytes: 442_006_443n,
    });
    expect(memories[0]!.message).toMatchObject({ totalBytes: 24_684_096n * 1024n });
    expect(cores.length + links.length + memories.length).toBe(Number(published));
    expect(await client.endTopics({})).toMatchObject({ published });
    expect((await client.list({})).total).toBe(3);
  });

  it("ends at SIGTERM", async () => {
    daemon.child.kill("SIGTERM");
    expect(await daemon.closed).toBe(0);
    expect(daemon.errors()).toBe("");
  });
});

describe("the daemon's command line", () => {
  it("helps", async () => {
    const { lines, closed } = startDaemon(["--help"]);
    expect(await closed).toBe(0);
    expect(lines[0]).toBe("Usage: daemon.js [options]");
  });

  it("wants a proc file system", async () => {
    const { errors, closed } = startDaemon(["--proc", "/nowhere"]);
    expect(await closed).toBe(3);
    expect(errors()).toBe(
      "there is no /nowhere/stat: hostwatch needs the proc file system of Linux (see --proc)\n",
    );
  });

  it("refuses wrong arguments", async () => {
    for (const [args, message] of [
      [["--rate", "0"], '--rate is "0"; it must be a whole number from 1 to 1000\nTry --help.\n'],
      [["--rate", "1001"], '--rate is "1001"; it must be'],
      [["--speed"], "Unknown option '--speed'"],
      [["there"], "Unexpected argument 'there'"],
    ] as const) {
      const { errors, closed } = startDaemon(args);
      expect(await closed, message).toBe(2);
      expect(errors()).toContain(message);
    }
  });
});
