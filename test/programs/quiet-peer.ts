// One side of a pair that is first busy and then has nothing to say. Arguments: "server" or "client", and the name. A
// server publishes one topic on 1,000 keys or 1, as "keys" says.
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { open } from "../../index.js";
import { answerLines } from "./fault-lines.js";

type Command =
  /** Client: calls, one after the other. */
  | { readonly do: "call"; readonly count: number }
  /** Client: reads a topic with so many subscriptions, each for one key. */
  | { readonly do: "subscribe"; readonly count: number }
  /** Server: publishes one message on each of so many keys. */
  | { readonly do: "publish"; readonly count: number }
  /** Client: how many publications came. */
  | { readonly do: "received" };

const [role = "", name = ""] = process.argv.slice(2);
const endpoint = await open(role === "server" ? { name, limits: { maxCalls: 4_096 } } : {});
if (role === "server") endpoint.serve(Echo, { say: ({ text }) => ({ text }) });
const publisher = role === "server" ? await endpoint.publisher(Echo.keyed) : undefined;
let received = 0;

async function read(keyName: string): Promise<void> {
  const subscription = endpoint.subscribe(Echo.keyed, { name: keyName }, { from: name });
  await subscription.ready();
  void count(subscription);
}

async function count(publications: AsyncIterable<unknown>): Promise<void> {
  try {
    for await (const _publication of publications) received++;
  } catch {
    // The server is gone, and so is this process soon.
  }
}

await answerLines<Command>({ pid: process.pid }, async (command) => {
  switch (command.do) {
    case "call": {
      const client = endpoint.client(Echo, name);
      for (let i = 0; i < command.count; i++) await client.say({ text: "hello" });
      return { transport: endpoint.connectedPeers[0]?.link.transport ?? "" };
    }
    case "subscribe":
      await Promise.all(Array.from({ length: command.count }, (_, i) => read(`key ${i}`)));
      return { subscribed: command.count };
    case "publish": {
      let sent = 0;
      for (let i = 0; i < command.count; i++) {
        sent += publisher?.publish({ name: `key ${i}`, shard: 0 }, { number: i }).matched ?? 0;
      }
      return { sent };
    }
    case "received":
      return { received };
  }
});
