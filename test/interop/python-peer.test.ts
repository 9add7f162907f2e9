import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type IpcError, open } from "protoipc";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Annotator, Demo, Hostwatch } from "../../gen/hostwatch/v1/hostwatch_protoipc.js";
import { preparePython, type Python } from "../harness/python.js";
import { newFolder } from "../transports/folder.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DAEMON = `${ROOT}dist/examples/hostwatch/daemon.js`;
const PEER = `${ROOT}examples/python-peer/peer.py`;
/** A machine that stands still: the same in every reading. */
const PROC = `${ROOT}test/examples/hostwatch-proc`;

let names: string;
let python: Python;

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, PROTOIPC_DIR: names, ...python.env };
}

/** Runs the peer to its end. */
async function peer(...args: string[]): Promise<{ code: number; lines: string[]; errors: string }> {
  const child = spawn(python.program, [PEER, ...args], {
    env: environment(),
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 20_000,
  });
  let output = "";
  let errors = "";
  child.stdout.on("data", (chunk) => {
    output += String(chunk);
  });
  child.stderr.on("data", (chunk) => {
    errors += String(chunk);
  });
  const [code] = await once(child, "close");
  return { code: Number(code), lines: output.split("\n").slice(0, -1), errors };
}

beforeAll(async () => {
  names = await newFolder();
  python = await preparePython(await newFolder(), ["hostwatch/v1/hostwatch.proto"]);
});

it("is under 150 lines of Python", async () => {
  const files = ["link.py", "peer.py"].map((name) => readFile(`${ROOT}examples/python-peer/${name}`, "utf8"));
  const lines = (await Promise.all(files)).flatMap((text) => text.trimEnd().split("\n"));
  expect(lines.length).toBeLessThan(150);
});

describe("the peer in Python", () => {
  let daemon: ChildProcess;

  beforeAll(async () => {
    const args = [DAEMON, "--proc", PROC, "--rate", "50"];
    daemon = spawn(process.execPath, args, { env: environment(), stdio: ["ignore", "pipe", "inherit"] });
    await once(createInterface({ input: daemon.stdout! }), "line");
  });

  afterAll(async () => {
    const closed = once(daemon, "close");
    daemon.kill("SIGTERM");
    await closed;
  });

  it("calls, subscribes and serves over one link", async ({ skip }) => {
    if (python.missing !== undefined) skip(python.missing);
    // More publications than a stream may send before its subscriber grants more.
    const { code, lines, errors } = await peer("hostwatch", "40");
    expect(errors).toBe("");
    expect(code).toBe(0);
    expect(lines[0]).toMatch(/^linked: hostwatch typescript\/\d/);
    expect(lines.slice(1, 4)).toEqual([
      "process: 4242 'a) R (odd) name' 1556480",
      "process: 2 'kthreadd' 0",
      "process: 4243 'two\\nlines' 0",
    ]);
    const publications = lines.slice(4, -1).map((line) => {
      const found = /^core 0: publication (\d+), \d+% busy, 0 lost$/.exec(line);
      return found === null ? line : Number(found[1]);
    });
    const first = Number(publications[0]);
    expect(publications).toEqual(Array.from({ length: 40 }, (_, index) => first + index));
    expect(lines.at(-1)).toBe("annotated: 2 'kthreadd, says Python'");
  });

  it("reports the errors of calls", async ({ skip }) => {
    if (python.missing !== undefined) skip(python.missing);
    const { code, lines, errors } = await peer("hostwatch", "1001");
    expect(code).toBe(1);
    expect(lines).toHaveLength(1);
    expect(errors).toBe("peer.py: limit is 1001; the most is 1000 (code 3)\n");
  });

  it("looks to its server like any other", async ({ skip }) => {
    if (python.missing !== undefined) skip(python.missing);
    process.env["PROTOIPC_DIR"] = names;
    await using endpoint = await open({ name: "server" });
    const cores = await endpoint.publisher(Hostwatch.cores);
    let timeLeftMs: number | undefined;
    let refusal: IpcError | undefined;
    let subscribersAtTheEnd = -1;
    endpoint.serve(Hostwatch, {
      list(_request, call) {
        expect(call.peer).toMatchObject({ name: "", implementation: "python-peer/1" });
        timeLeftMs = call.timeoutMs();
        return { processes: [], matched: 0, total: 0 };
      },
      async useAnnotator(_request, call) {
        const demo = endpoint.client(Demo, call.peer);
        refusal = await demo.ready({}).then(
          () => undefined,
          (error: IpcError) => error,
        );
        const top = { name: "x".repeat(100_000) };
        const { text } = await endpoint
          .client(Annotator, call.peer)
          .annotate({ process: top }, { parent: call });
        subscribersAtTheEnd = cores.subscribers;
        return { pid: text.length, text: "told" };
      },
    });
    const running = peer("server", "3");
    await cores.ready({ subscribers: 1 });
    const { matched } = cores.publish({ core: 1 }, { busy: 0.1 });
    expect(matched).toBe(0);
    for (const busy of [0.25, 0.5, 0.75, 1]) cores.publish({ core: 0 }, { busy });
    const { code, lines, errors } = await running;
    expect(errors).toBe("");
    expect(code).toBe(0);
    expect(lines.slice(1)).toEqual([
      "core 0: publication 1, 25% busy, 0 lost",
      "core 0: publication 2, 50% busy, 0 lost",
      "core 0: publication 3, 75% busy, 0 lost",
      "annotated: 100013 'told'",
    ]);
    expect(timeLeftMs).toBeGreaterThan(0);
    expect(timeLeftMs).toBeLessThanOrEqual(10_000);
    expect(refusal).toMatchObject({ code: "UNIMPLEMENTED", maybeExecuted: false });
    expect(subscribersAtTheEnd).toBe(0);
  });
});
