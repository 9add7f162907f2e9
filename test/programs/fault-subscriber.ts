// Subscribes to a topic of the Echo service, and reports what came. Arguments: the publisher's name, the topic, the
// milliseconds that it takes over each message.
import { setTimeout as sleep } from "node:timers/promises";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { IpcError, open } from "../../index.js";
import { answerLines } from "./fault-lines.js";

/** What came of one key. */
interface KeyReport {
  received: number;
  lost: number;
  lastSeq: number;
  /** Messages whose `lost` is not the gap in the numbers before them. */
  wrong: number;
}

const [from = "", topicName = "", pauseText = "0"] = process.argv.slice(2);
const pauseMs = Number(pauseText);
const topic = { keyed: Echo.keyed, dropNewest: Echo.dropNewest, blocking: Echo.blocking }[topicName];
if (topic === undefined) throw new Error(`there is no topic ${topicName}`);
const endpoint = await open();
const subscription = endpoint.subscribe(topic, {}, { from });
const keys: Record<string, KeyReport> = {};
const numbers: number[] = [];
let outcome: string | undefined;

async function read(): Promise<string> {
  try {
    for await (const { key, message, seq, lost } of subscription) {
      const { name = "" } = key;
      keys[name] ??= { received: 0, lost: 0, lastSeq: 0, wrong: 0 };
      const report = keys[name];
      report.received++;
      report.lost += lost;
      if (seq !== report.lastSeq + lost + 1) report.wrong++;
      report.lastSeq = seq;
      numbers.push(message.number);
      if (pauseMs > 0) await sleep(pauseMs);
    }
    return "well";
  } catch (error) {
    return IpcError.from(error).code;
  }
}

await subscription.ready();
void read().then((how) => {
  outcome = how;
});
await answerLines<object>({ pid: process.pid }, () => ({
  keys,
  received: subscription.received,
  lost: subscription.lost,
  read: numbers.length,
  inOrder: numbers.every((number, i) => number === i),
  outcome: outcome ?? null,
  timeMs: performance.now(),
}));
