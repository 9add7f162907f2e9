// The soak's client: calls without end, several at a time, and subscribes to the server's topic. It outlives its server,
// and goes on with the next. Argument: the server's name.
import { setTimeout as sleep } from "node:timers/promises";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { IpcError, open } from "../../index.js";
import { answerLines } from "../programs/fault-lines.js";
import { bodyOf, lengthOf, type SoakReport, sumOf } from "./content.js";

const LANES = 8;
/** What a caller is told when the server is killed, is not there yet, or closes. */
const EXPECTED: ReadonlySet<string> = new Set(["UNAVAILABLE", "CANCELLED"]);
const REST_MS = 10;

const target = process.argv[2]!;
const violations: string[] = [];
const inFlight = new Map<number, number>();
let numbers = 0;
let checked = 0;
let bytes = 0;
let unavailable = 0;
let stopped = false;
process.on("unhandledRejection", (reason) => violations.push(`unhandled rejection: ${String(reason)}`));

const endpoint = await open({ drainTimeoutMs: 200 });
const client = endpoint.client(Echo, target);

function expectUnavailable(what: string, error: unknown): void {
  const { code, message } = IpcError.from(error);
  unavailable++;
  if (!EXPECTED.has(code)) violations.push(`${what} ended with ${code}: ${message}`);
}

async function callOnce(): Promise<boolean> {
  const number = ++numbers;
  const body = bodyOf(number, lengthOf(number + 3));
  inFlight.set(number, performance.now());
  try {
    const reply = await client.say({ text: `${process.pid}-${number}`, number, body });
    checked++;
    bytes += reply.body.length;
    if (reply.text !== sumOf(body)) violations.push(`call ${number}: the server got another body`);
    if (sumOf(reply.body) !== sumOf(bodyOf(number, lengthOf(number))))
      violations.push(`call ${number}: the reply's body is not the server's`);
    return true;
  } catch (error) {
    expectUnavailable(`call ${number}`, error);
    return false;
  } finally {
    inFlight.delete(number);
  }
}

async function callWithoutEnd(): Promise<void> {
  while (!stopped) if (!(await callOnce())) await sleep(REST_MS);
}

/** Reads one subscription to its end: what comes is whole and in order, and what is lost is counted. */
async function readOnce(): Promise<void> {
  let publisher = "";
  let last = 0;
  for await (const { message, lost } of endpoint.subscribe(Echo.keyed, {}, { from: target })) {
    if (publisher !== "" && message.text !== publisher) violations.push("one subscription, two publishers");
    if (publisher !== "" && message.number !== last + lost + 1)
      violations.push(`publication ${message.number} after ${last}, ${lost} lost`);
    if (sumOf(message.body) !== sumOf(bodyOf(message.number, lengthOf(message.number))))
      violations.push(`publication ${message.number} is torn`);
    publisher = message.text;
    last = message.number;
    checked++;
    bytes += message.body.length;
    if (stopped) return;
  }
}

async function readWithoutEnd(): Promise<void> {
  while (!stopped) {
    try {
      await readOnce();
    } catch (error) {
      expectUnavailable("the subscription", error);
    }
    await sleep(REST_MS);
  }
}

for (let lane = 0; lane < LANES; lane++) void callWithoutEnd();
void readWithoutEnd();
await answerLines<{ readonly do: "report" | "stop" }>({ pid: process.pid }, async ({ do: what }) => {
  if (what === "stop") {
    stopped = true;
    await endpoint.close();
  }
  const nowMs = performance.now();
  const report: SoakReport = {
    pid: process.pid,
    checked,
    bytes,
    unavailable,
    inFlight: inFlight.size,
    oldestMs: Math.max(0, ...[...inFlight.values()].map((sinceMs) => nowMs - sinceMs)),
    violations: violations.slice(0, 5),
  };
  return report;
});
