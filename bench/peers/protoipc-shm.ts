/** protoipc over shared memory. Bare records go between threads that block; protoipc-shm-loop has the other way. */
import { shmTransport } from "protoipc/transports/shm";
import type { Peer } from "./peer.js";
import { protoipcSides } from "./protoipc.js";
import { blockingRecordSides } from "./transport-records.js";

export const peer: Peer = {
  name: "protoipc-shm",
  packages: ["protoipc", "@bufbuild/protobuf"],
  ...protoipcSides("shm:bench", true),
  record: blockingRecordSides(() => shmTransport()),
};
