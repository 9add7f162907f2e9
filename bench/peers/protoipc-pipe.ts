/** protoipc over pairs of FIFOs. */
import type { Peer } from "./peer.js";
import { protoipcSides } from "./protoipc.js";

export const peer: Peer = {
  name: "protoipc-pipe",
  packages: ["protoipc", "@bufbuild/protobuf"],
  ...protoipcSides("pipe:bench"),
};
