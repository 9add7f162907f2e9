// Where a fault test happens: a root directory of its own, and processes that end with it.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach } from "vitest";
import { type Endpoint, type OpenOptions, open } from "../../index.js";
import { ownDescriptors } from "../harness/own-descriptors.js";
import { programPath } from "../harness/program-path.js";
import { rawPipe } from "./raw-pipe.js";
import { reportOf, sendLine } from "./without-signals.js";
import { shakeAsDialler } from "../../transports/pipe/windows-handshake.js";
import { pipeOf } from "../../transports/pipe/windows-place.js";

/** A program of test/programs in a process of its own. */
export interface Child {
  readonly pid: number;
  readonly process: ChildProcess;
  /** What it said when it was ready. */
  readonly hello: unknown;
  /** Sends a command and resolves with its answer. Rejects when the process ends before. */
  ask<Answer = Record<string, unknown>>(command: object): Promise<Answer>;
  /**
   * Resolves when the signal is sent; for SIGKILL, when the process is gone. On Windows a line does what the signal would:
   * not while a question is open.
   */
  kill(signal: NodeJS.Signals): Promise<void>;
}

let directory = "";
let children: ChildProcess[] = [];
let endpoints: Endpoint[] = [];
let sockets: Duplex[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pf-"));
  // Read by `open` in this process, and inherited by its children.
  process.env["PROTOIPC_DIR"] = directory;
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  for (const child of children) await end(child);
  await Promise.all(endpoints.map((endpoint) => endpoint.close()));
  children = [];
  endpoints = [];
  sockets = [];
  await rm(directory, { recursive: true });
});

/** Opens an endpoint in this process, closed after the test. */
export async function openHere(options: OpenOptions = {}): Promise<Endpoint> {
  const endpoint = await open({ drainTimeoutMs: 200, ...options });
  endpoints.push(endpoint);
  return endpoint;
}

/** Starts a program, as built, and waits until it is ready. `maxOpenFiles` limits its descriptors. */
export async function start(
  program: string,
  args: readonly (string | object)[],
  maxOpenFiles?: number,
): Promise<Child> {
  const file = programPath(program);
  const texts = args.map((arg) => (typeof arg === "string" ? arg : JSON.stringify(arg)));
  const command =
    maxOpenFiles === undefined
      ? [process.execPath, file, ...texts]
      : ["sh", "-c", `ulimit -n ${maxOpenFiles}; exec "$0" "$@"`, process.execPath, file, ...texts];
  const child = spawn(command[0]!, command.slice(1), { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => {
    const line = await lines.next();
    if (line.done) throw new Error(`${program} ended without an answer`);
    return JSON.parse(line.value);
  };
  const hello = await next();
  const ask = <Answer>(message: object): Promise<Answer> => {
    child.stdin.write(`${JSON.stringify(message)}\n`);
    return next() as Promise<Answer>;
  };
  return {
    pid: child.pid!,
    process: child,
    hello,
    ask,
    async kill(signal) {
      if (signal === "SIGKILL") await end(child);
      else if (process.platform === "win32")
        await sendLine(signal, child, ask, join(directory, `stopped-${child.pid}`));
      else child.kill(signal);
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

/** The directory of an endpoint of this test. */
export function endpointPath(name: string): string {
  return join(directory, "default", name);
}

/** What raw bytes go over: the pipe where the processes of the test have nothing else, else the socket. */
export const RAW_TRANSPORT: "pipe" | "unix" =
  process.env["PROTOIPC_TRANSPORTS"] === "pipe" || process.platform === "win32" ? "pipe" : "unix";

/** Connects to an endpoint without speaking the protocol; closed after the test. */
export async function rawSocket(name: string): Promise<Duplex> {
  if (process.platform === "win32") return rawWindowsPipe(name);
  if (RAW_TRANSPORT === "pipe") {
    const pipe = rawPipe(join(endpointPath(name), "pipe"));
    sockets.push(pipe);
    return pipe;
  }
  const socket = createConnection({ path: join(endpointPath(name), "unix"), allowHalfOpen: true });
  sockets.push(socket);
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** As `rawSocket`, where there are pipes. Who is not let in says nothing that anybody reads. */
async function rawWindowsPipe(name: string): Promise<Duplex> {
  const at = await pipeOf({ kind: "name", name, directory: endpointPath(name) });
  if (at?.token === undefined) throw new Error(`${name} has no pipe`);
  const socket = createConnection({ path: at.path, allowHalfOpen: true });
  sockets.push(socket);
  socket.on("error", () => {});
  await once(socket, "connect");
  await shakeAsDialler(socket, at.token, at.path, 5_000);
  return socket;
}

/** Waits until `check` holds. Rejects, saying what was last seen, after `limitMs`. */
export async function until<T>(
  see: () => T | Promise<T>,
  check: (seen: T) => boolean,
  limitMs: number,
): Promise<T> {
  const giveUpAt = performance.now() + limitMs;
  for (;;) {
    const seen = await see();
    if (check(seen)) return seen;
    if (performance.now() > giveUpAt) {
      throw new Error(`not so within ${limitMs} ms; last seen: ${JSON.stringify(seen)}`);
    }
    await sleep(20);
  }
}

/** The resident memory of a process, in bytes. */
export async function residentBytes(child: Child): Promise<number> {
  if (process.platform === "win32") return (await reportOf(child)).residentBytes;
  const status = await readFile(`/proc/${child.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

/** How many descriptors a process has; without one, this process. As `ownDescriptors` counts them. */
export async function openFiles(child?: Child): Promise<number> {
  if (child === undefined) return ownDescriptors();
  if (process.platform === "win32") return (await reportOf(child)).descriptors;
  return (await readdir(`/proc/${child.pid}/fd`)).length;
}

/** Does `run` so many times, a few at a time. */
export async function repeat(times: number, atATime: number, run: () => Promise<void>): Promise<void> {
  let begun = 0;
  const worker = async (): Promise<void> => {
    while (begun++ < times) await run();
  };
  await Promise.all(Array.from({ length: atATime }, worker));
}

/** The descriptors of a fault-server without peers. */
export async function settledFiles(server: Child): Promise<number> {
  await until(
    () => server.ask<{ peers: number }>({ do: "report" }),
    ({ peers }) => peers === 0,
    10_000,
  );
  return openFiles(server);
}
