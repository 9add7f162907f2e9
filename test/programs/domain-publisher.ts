// Publishes two topics to whoever subscribes in the domain, until told to rest. Argument: a name for its keys.
import { setTimeout as sleep } from "node:timers/promises";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { open } from "../../index.js";
import { answerLines } from "./fault-lines.js";

type Command = { readonly do: "begin"; readonly subscribers: number } | { readonly do: "rest" | "close" };

const name = process.argv[2] ?? "publisher";
const endpoint = await open();
const blocking = await endpoint.publisher(Echo.blocking);
const dropping = await endpoint.publisher(Echo.keyed);
const key = { name, shard: process.pid };
const sent = { blocking: 0, dropping: 0 };
let isResting = false;
let working: Promise<void> | undefined;

async function work(): Promise<void> {
  for (let turn = 0; !isResting; turn++) {
    await blocking.publishWhenReady(key, { number: sent.blocking++ });
    // Now and then more in one turn than a queue holds.
    const count = turn % 100 === 0 ? 300 : 2;
    for (let i = 0; i < count; i++) dropping.publish(key, { number: sent.dropping++ });
    await sleep(4);
  }
}

await answerLines<Command>({ pid: process.pid }, async (command) => {
  switch (command.do) {
    case "begin":
      await blocking.ready({ subscribers: command.subscribers, timeoutMs: 30_000 });
      await dropping.ready({ subscribers: command.subscribers, timeoutMs: 30_000 });
      working = work();
      return {};
    case "rest":
      isResting = true;
      await working;
      // With empty queues: it tells each subscriber of what was lost before it.
      await sleep(1_000);
      dropping.publish(key, { number: sent.dropping++ });
      return sent;
    case "close":
      await endpoint.close();
      return {};
  }
});
