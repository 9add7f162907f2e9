// Calls the Echo service in every way at once, and waits to be killed. Arguments: the server's name, and "calls" or
// "nothing" for a client that is only connected.
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { open } from "../../index.js";
import { ENDLESS, HANG } from "./fault-handlers.js";
import { answerLines } from "./fault-lines.js";

const [target = "", what = "calls"] = process.argv.slice(2);
const endpoint = await open();
await endpoint.connect(target);

async function* oneThenSilence(): AsyncGenerator<{ text: string }, void, undefined> {
  yield { text: "hello" };
  await new Promise(() => {});
}

async function first(responses: AsyncIterable<unknown>): Promise<void> {
  await responses[Symbol.asyncIterator]().next();
}

if (what === "calls") {
  const client = endpoint.client(Echo, target);
  void client.say({ text: HANG });
  await first(client.count({ text: HANG }));
  // Never read beyond the first: its generator stands at a yield.
  await first(client.count({ text: ENDLESS, number: 100_000 }));
  await first(client.chat(oneThenSilence()));
  await endpoint.subscribe(Echo.keyed, {}, { from: target }).ready();
  await endpoint.subscribe(Echo.plain, { from: target }).ready();
}
await answerLines({ pid: process.pid }, () => ({}));
