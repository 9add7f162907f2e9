/**
 * One process of a program: `worker.js client|server SPEC`, SPEC being a `ProgramSpec` as JSON. The client starts the
 * server, measures, writes one line with a `Measured` as JSON and ends. Each of the two ends when its standard input
 * does, so that nothing outlives the one who started it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import type { CaseName } from "./cases.js";
import {
  type Measured,
  measureCallRate,
  measureOneWay,
  measureRoundTrips,
  measureStream,
} from "./measure.js";
import { measureDeaths } from "./measure-death.js";
import { measurePublish, measurePublishCpu, type RemotePublisher } from "./measure-publish.js";
import { measureRecords, measureWakeUps, wakeUpMessages } from "./measure-records.js";
import { runNative } from "./native.js";
import { checkPayload } from "./payload.js";
import { loadPeer, type SidesOf, sidesOf } from "./peers/index.js";
import type { ClientSetting, PublishingServer } from "./peers/peer.js";
import { nodeCommand, type ProgramSpec } from "./program.js";
import { checkRaw } from "./raw.js";

/** The server's word that it can be called. */
const READY = "ready";
/** Asks the server for the CPU time that it has used since it last was told to publish. */
const CPU = "cpu";

/** The server process, and the lines that it writes. */
interface Server {
  readonly process: ChildProcess;
  readonly lines: Interface;
}

const [role, specText] = process.argv.slice(2);
const spec: ProgramSpec = JSON.parse(specText ?? "");
const peer = await loadPeer(spec.peer);
process.stdin.once("end", () => process.exit()).resume();
if (role === "server") {
  await serve();
  process.stdout.write(`${READY}\n`);
} else {
  const program = peer.programs?.[spec.scenario.case];
  const measured = program === undefined ? await measure(await startServer()) : await measureNative(program);
  process.stdout.write(`${JSON.stringify(measured)}\n`, () => process.exit());
}

async function serve(): Promise<void> {
  const name = spec.scenario.case;
  switch (name) {
    case "publish":
    case "publish-cpu":
    case "publish-raw":
      return obey(await required(name).serve(spec));
    default:
      await required(name).serve(spec);
  }
}

/** A line of standard input is a number of messages to publish, or `CPU`. */
function obey(publisher: PublishingServer): void {
  let before = process.cpuUsage();
  createInterface({ input: process.stdin }).on("line", (line) => {
    if (line === CPU) {
      const { user, system } = process.cpuUsage(before);
      process.stdout.write(`${user + system}\n`);
      return;
    }
    before = process.cpuUsage();
    void publisher.publish(Number(line));
  });
}

async function measure(server: Server): Promise<Measured> {
  const { scenario } = spec;
  const setting: ClientSetting = { ...spec, server: server.process };
  const name = scenario.case;
  switch (name) {
    case "unary-rtt":
      return measureRoundTrips(await required(name).connect(setting), scenario, spec);
    case "unary-rate":
      return measureCallRate(await required(name).connect(setting), scenario, spec);
    case "server-stream":
      return measureStream(await required(name).connect(setting), scenario, spec);
    case "one-way":
      return measureOneWay(await required(name).connect(setting), scenario, spec);
    case "record-rtt":
      return measureRecords(await required(name).connect(setting), spec);
    case "death":
      return measureDeaths(await required(name).connect(setting));
    case "wake-up":
      return measureWakeUps(await required(name).connect(setting), spec);
    case "publish": {
      const client = await required(name).connect(setting);
      return measurePublish(client, scenario, spec, remote(server), checkPayload);
    }
    case "publish-cpu": {
      const client = await required(name).connect(setting);
      return measurePublishCpu(client, scenario, spec, remote(server), checkPayload);
    }
    case "publish-raw": {
      const client = await required(name).connect(setting);
      return measurePublish(client, scenario, spec, remote(server), checkRaw);
    }
  }
}

function measureNative(program: string): Promise<Measured> {
  const measureMs = spec.scenario.case === "wake-up" ? wakeUpMessages(spec) : spec.measureMs;
  return runNative(program, spec.cpus, { warmUpMs: spec.warmUpMs, measureMs });
}

function remote(server: Server): RemotePublisher {
  const tell = (line: string): void => void server.process.stdin?.write(`${line}\n`);
  return {
    publish: (count) => tell(String(count)),
    async cpuUs() {
      const answer = once(server.lines, "line");
      tell(CPU);
      const [line] = await answer;
      return Number(line);
    },
  };
}

async function startServer(): Promise<Server> {
  const [command, args] = nodeCommand(spec.cpus?.server, [
    import.meta.filename,
    "server",
    JSON.stringify(spec),
  ]);
  const server = spawn(command, args, {
    stdio: ["pipe", "pipe", "inherit", ...(peer.ipcChannel === true ? ["ipc" as const] : [])],
    serialization: "advanced",
  });
  server.once("exit", (code, signal) => {
    process.stderr.write(`the server of ${spec.peer} ended with ${signal ?? code}\n`);
    process.exit(1);
  });
  if (server.stdout === null) throw new Error("the server has no standard output");
  const lines = createInterface({ input: server.stdout });
  await once(lines, "line");
  return { process: server, lines };
}

function required<Name extends CaseName>(name: Name): SidesOf<Name> {
  const sides = sidesOf(peer, name);
  if (sides === undefined) throw new Error(`${spec.peer} does not have the case ${name}`);
  return sides;
}
