// A thread that blocks on calls and publications of the endpoint that it is told, and posts what came of it.
import { parentPort, workerData } from "node:worker_threads";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { open } from "../../index.js";

const { address, calls } = workerData as { address: string; calls: number };
const endpoint = await open();
await endpoint.connect(address);
const echo = endpoint.client(Echo, address);
let sum = 0;
for (let number = 0; number < calls; number++) sum += echo.say.sync({ number }).number;
const subscription = endpoint.subscribe(Echo.keyed, {}, { from: address });
await subscription.ready();
echo.say.sync({ text: "publish", number: calls });
let received = 0;
for (; subscription.receive({ timeoutMs: 200 }) !== undefined; received++);
await subscription.close();
await endpoint.close();
parentPort?.postMessage({ sum, received });
