// Subscribes to two topics of the domain, whoever publishes them, and reports what came from whom.
import type { TopicKey, TopicMessage } from "../../gen/test/v1/echo_pb.js";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { open, type Subscription } from "../../index.js";
import { ownDescriptors } from "../harness/own-descriptors.js";
import { answerLines } from "./fault-lines.js";

/** What came from one run of a publisher. */
export interface FromPublisher {
  /** The number of the first publication that came, or was told to be lost. From 1. */
  first: number;
  last: number;
  received: number;
  lost: number;
  /** Publications that came twice, out of order, or behind a gap that was not told. */
  wrong: number;
}

type Command = { readonly do: "report" | "close" | "files" };

// A narrow window, so that bursts overflow the publishers' queues.
const endpoint = await open({ limits: { windowMessages: 32 } });
// On Windows standard input and output count only once they are used.
const before = ownDescriptors() + (process.platform === "win32" ? 2 : 0);
const blocking = endpoint.subscribe(Echo.blocking, {});
const dropping = endpoint.subscribe(Echo.keyed, {});
/** What stands in the domain and was not used, and why. */
const refused: string[] = [];
endpoint.on("endpointRefused", (name, { message }) => refused.push(`${name}: ${message}`));
const came = { blocking: {}, dropping: {} } as Record<"blocking" | "dropping", Record<number, FromPublisher>>;

/** The processes whose publishers of both topics have confirmed. */
function joined(): number[] {
  const ofDropping = new Set(dropping.publishers.map(({ pid }) => pid));
  return blocking.publishers.map(({ pid }) => pid).filter((pid) => ofDropping.has(pid));
}

async function read(
  subscription: Subscription<TopicKey, TopicMessage>,
  from: Record<number, FromPublisher>,
): Promise<void> {
  for await (const { key, seq, lost, publisher } of subscription) {
    if (key.shard !== publisher.pid) throw new Error(`key ${key.shard} of process ${publisher.pid}`);
    from[publisher.pid] ??= { first: seq - lost, last: seq - lost - 1, received: 0, lost: 0, wrong: 0 };
    const account = from[publisher.pid]!;
    if (seq !== account.last + lost + 1) account.wrong++;
    account.last = seq;
    account.received++;
    account.lost += lost;
  }
}

const reading = Promise.all([read(blocking, came.blocking), read(dropping, came.dropping)]);
await answerLines<Command>({ pid: process.pid }, async (command) => {
  switch (command.do) {
    case "report":
      return { ...came, lostInAll: blocking.lost, publishers: joined(), refused };
    case "files":
      return { before, now: ownDescriptors() };
    case "close":
      await endpoint.close();
      await reading;
      return {};
  }
});
