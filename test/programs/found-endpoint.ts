// An endpoint that serves and publishes, named or not, until it is killed or told to close: node found-endpoint.js [NAME]
import { createInterface } from "node:readline";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { open } from "../../index.js";

const [name] = process.argv.slice(2);
const endpoint = await open(name === undefined ? {} : { name });
endpoint.serve(Echo, { say: (request) => ({ text: request.text, number: process.pid }) });
await endpoint.publisher(Echo.keyed);
process.stdout.write(`${JSON.stringify({ addresses: endpoint.addresses })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  if (line.includes("close")) {
    await endpoint.close();
    process.stdout.write("{}\n");
    break;
  }
}
process.exit();
