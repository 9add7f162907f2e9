// The soak's server: answers calls with the sum of what came, and publishes a numbered topic without end. Argument: its
// name.
import { setTimeout as sleep } from "node:timers/promises";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { open } from "../../index.js";
import { answerLines } from "../programs/fault-lines.js";
import { bodyOf, lengthOf, type SoakReport, sumOf } from "./content.js";

const PUBLISH_EVERY_MS = 5;

const violations: string[] = [];
/** The calls that were executed, by their caller's word for them: none is executed twice. */
const executed = new Set<string>();
let checked = 0;
let bytes = 0;
let stopped = false;

const endpoint = await open({ name: process.argv[2]!, drainTimeoutMs: 200 });
endpoint.serve(Echo, {
  async say({ text, number, body }) {
    if (executed.has(text)) violations.push(`the call ${text} was executed twice`);
    executed.add(text);
    checked++;
    bytes += body.length;
    return { text: sumOf(body), number: process.pid, body: bodyOf(number, lengthOf(number)) };
  },
});

async function publish(): Promise<void> {
  const publisher = await endpoint.publisher(Echo.keyed);
  for (let number = 1; !stopped; number++) {
    const body = bodyOf(number, lengthOf(number));
    publisher.publish({ name: "soak", shard: 0 }, { text: `${process.pid}`, number, body });
    await sleep(PUBLISH_EVERY_MS);
  }
}

void publish();
await answerLines<{ readonly do: "report" | "stop" }>({ pid: process.pid }, async ({ do: what }) => {
  if (what === "stop") {
    stopped = true;
    await endpoint.close();
  }
  // What was executed long ago is asked for by nobody any more.
  if (executed.size > 100_000) executed.clear();
  const report: SoakReport = {
    pid: process.pid,
    checked,
    bytes,
    unavailable: 0,
    inFlight: 0,
    oldestMs: 0,
    violations: violations.slice(0, 5),
  };
  return report;
});
