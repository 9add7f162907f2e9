/**
 * One process of a program: `worker.js client|server SPEC`, SPEC being a `ProgramSpec` as JSON. The client starts the
 * server, measures, writes one line with a `Measured` as JSON and ends. Each of the two ends when its standard input
 * does, so that nothing outlives the one who started it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import {
  type Measured,
  measureCallRate,
  measureOneWay,
  measurePublish,
  measureRoundTrips,
  measureStream,
} from "./measure.js";
import { loadPeer } from "./peers/index.js";
import type { ClientSetting, Peer } from "./peers/peer.js";
import { nodeCommand, type ProgramSpec } from "./program.js";

/** The server's word that it can be called. */
const READY = "ready";

const [role, specText] = process.argv.slice(2);
const spec: ProgramSpec = JSON.parse(specText ?? "");
const peer = await loadPeer(spec.peer);
process.stdin.once("end", () => process.exit());
if (role === "server") {
  await serve();
  process.stdout.write(`${READY}\n`);
} else {
  process.stdin.resume();
  const measured = await measure(await startServer());
  process.stdout.write(`${JSON.stringify(measured)}\n`, () => process.exit());
}

/** Serves the case. A line of standard input is a number of messages to publish. */
async function serve(): Promise<void> {
  const input = createInterface({ input: process.stdin });
  switch (spec.scenario.case) {
    case "unary-rtt":
    case "unary-rate":
      return required(peer.unary).serve(spec);
    case "server-stream":
      return required(peer.stream).serve(spec);
    case "one-way":
      return required(peer.oneWay).serve(spec);
    case "publish": {
      const publisher = await required(peer.publish).serve(spec);
      input.on("line", (line) => void publisher.publish(Number(line)));
    }
  }
}

async function measure(server: ChildProcess): Promise<Measured> {
  const { scenario } = spec;
  const setting: ClientSetting = { ...spec, server };
  switch (scenario.case) {
    case "unary-rtt":
      return measureRoundTrips(await required(peer.unary).connect(setting), scenario, spec);
    case "unary-rate":
      return measureCallRate(await required(peer.unary).connect(setting), scenario, spec);
    case "server-stream":
      return measureStream(await required(peer.stream).connect(setting), scenario, spec);
    case "one-way":
      return measureOneWay(await required(peer.oneWay).connect(setting), scenario, spec);
    case "publish": {
      const client = await required(peer.publish).connect(setting);
      return measurePublish(client, scenario, spec, (count) => server.stdin?.write(`${count}\n`));
    }
  }
}

async function startServer(): Promise<ChildProcess> {
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
  await once(createInterface({ input: server.stdout }), "line");
  return server;
}

function required<T extends Peer["unary" | "stream" | "oneWay" | "publish"]>(sides: T): NonNullable<T> {
  if (sides === undefined) throw new Error(`${spec.peer} does not have the case ${spec.scenario.case}`);
  return sides;
}
