// Serves the Echo service and publishes one of its topics. Ends well on SIGTERM. Argument: the options of `open`, as
// JSON.
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { type OpenOptions, open } from "../../index.js";
import { faultHandlers, newTally } from "./fault-handlers.js";
import { answerLines } from "./fault-lines.js";

type Command =
  | { readonly do: "report" }
  /** Publishes `count` messages of `bytes` bytes on the keyed topic, without waiting. */
  | { readonly do: "publish"; readonly count: number; readonly bytes: number };

const tally = newTally();
const rejected: { code: string; message: string }[] = [];
let disconnected = 0;
let unhandled = 0;
process.on("unhandledRejection", () => unhandled++);
const endpoint = await open(JSON.parse(process.argv[2] ?? "{}") as OpenOptions);
endpoint.serve(Echo, faultHandlers(tally));
endpoint.on("linkRejected", ({ code, message }) => rejected.push({ code, message }));
endpoint.on("peerDisconnected", () => disconnected++);
const keyed = await endpoint.publisher(Echo.keyed);
process.on("SIGTERM", () => {
  void endpoint.close().then(() => process.exit(0));
});

await answerLines<Command>({ pid: process.pid }, (command) => {
  switch (command.do) {
    case "report":
      return {
        tally,
        rejected,
        disconnected,
        unhandled,
        counters: endpoint.counters,
        peers: endpoint.connectedPeers.length,
        subscribers: keyed.subscribers,
      };
    case "publish": {
      const body = new Uint8Array(command.bytes);
      let queued = 0;
      for (let i = 0; i < command.count; i++) {
        queued += keyed.publish({ name: "a", shard: 0 }, { number: i, body }).queued;
      }
      return { queued };
    }
  }
});
