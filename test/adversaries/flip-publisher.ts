// Publishes large texts without end, and answers calls with them: what the flipper changes under its readers' eyes.
// Argument: its name.
import { setTimeout as sleep } from "node:timers/promises";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { open } from "../../index.js";

const TEXT = "plain text, é, €, 𝄞, ".repeat(10_000);
const BODY = new TextEncoder().encode(TEXT.repeat(4));

const endpoint = await open({ name: process.argv[2]! });
endpoint.serve(Echo, {
  say({ number }) {
    return Promise.resolve({ text: TEXT, number, body: BODY });
  },
});
const publisher = await endpoint.publisher(Echo.keyed);
process.stdout.write("ready\n");
process.stdin.resume().on("end", () => process.exit(0));
for (let number = 1; ; number++) {
  publisher.publish({ name: "flip", shard: 0 }, { text: TEXT, number, body: BODY });
  // Small ones too: they stand in the ring.
  publisher.publish(
    { name: "flip", shard: 1 },
    { text: "é€𝄞".repeat(50), number, body: BODY.subarray(0, 500) },
  );
  await sleep(2);
}
