/** Records over our shared memory between two event loops that never spin. */
import { shmTransport } from "protoipc/transports/shm";
import type { Peer } from "./peer.js";
import { wakeUpSides } from "./transport-records.js";

export const peer: Peer = {
  name: "protoipc-shm-event",
  packages: ["protoipc"],
  wakeUp: wakeUpSides(() => shmTransport({ waiting: "event" })),
};
