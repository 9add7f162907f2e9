/** protoipc over a Unix socket. */
import type { Peer } from "./peer.js";
import { protoipcSides } from "./protoipc.js";

export const peer: Peer = {
  name: "protoipc-unix",
  packages: ["protoipc", "@bufbuild/protobuf"],
  ...protoipcSides("unix:bench"),
};
