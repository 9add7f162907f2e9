/** protoipc over a Unix socket with the codecs of protobuf-es instead of generated ones: what those bring. */
import { ReflectedBench } from "../reflected.js";
import type { Peer } from "./peer.js";
import { protoipcSides } from "./protoipc.js";

const { unary, publish } = protoipcSides("unix:bench", false, ReflectedBench);

export const peer: Peer = {
  name: "protoipc-unix-reflect",
  packages: ["protoipc", "@bufbuild/protobuf"],
  unary,
  publish,
};
