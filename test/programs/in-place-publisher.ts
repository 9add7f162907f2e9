// Publishes messages that it writes field by field into what it lends, to one subscriber, and closes when its input ends.
// Arguments: its name, how many.
import { once } from "node:events";
import { TopicMessageWriter } from "../../gen/test/v1/echo_inplace.js";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { open } from "../../index.js";
import { pattern } from "../harness/pattern.js";

const BODY_BYTES = 1_048_576;

const [name = "in-place", count = "1"] = process.argv.slice(2);
const endpoint = await open({ name });
const publisher = await endpoint.publisher(Echo.keyed);
console.log("listening");
await publisher.ready({ subscribers: 1, timeoutMs: 30_000 });
for (let number = 1; number <= Number(count); number++) {
  using loan = publisher.loan({ name, shard: process.pid }, BODY_BYTES + 100, { writer: TopicMessageWriter });
  const { message } = loan;
  message.number = number;
  const body = message.reserveBody(BODY_BYTES);
  message.text = "written in place";
  body.set(pattern(BODY_BYTES, number));
  await loan.publishWhenReady();
}
process.stdin.resume();
await once(process.stdin, "end");
await endpoint.close();
