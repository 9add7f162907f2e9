/** Bare records through libprotoipc, from C on both sides (c/libprotoipc.c). */
import type { Peer } from "./peer.js";

export const peer: Peer = {
  name: "protoipc-c",
  packages: ["protoipc"],
  programs: { "record-rtt": "libprotoipc.c" },
};
