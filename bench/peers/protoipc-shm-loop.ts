/** Records over our shared memory between two event loops, which spin for a moment before they sleep. */
import { shmTransport } from "protoipc/transports/shm";
import type { Peer } from "./peer.js";
import { recordSides } from "./transport-records.js";

export const peer: Peer = {
  name: "protoipc-shm-loop",
  packages: ["protoipc"],
  record: recordSides(() => shmTransport({ waiting: "adaptive" })),
};
