import type { CaseName } from "../cases.js";
import type { Peer } from "./peer.js";

/** In the order of the tables. Each is loaded only where it runs, so that no peer pays for another. */
const LOADERS: Readonly<Record<string, () => Promise<{ readonly peer: Peer }>>> = {
  "protoipc-unix": () => import("./protoipc-unix.js"),
  net: () => import("./net.js"),
  "grpc-js": () => import("./grpc-js.js"),
  connect: () => import("./connect.js"),
  zeromq: () => import("./zeromq.js"),
  fork: () => import("./fork.js"),
};

export const PEER_NAMES: readonly string[] = Object.keys(LOADERS);

export async function loadPeer(name: string): Promise<Peer> {
  const load = LOADERS[name];
  if (load === undefined) throw new Error(`"${name}" is no peer; there are ${PEER_NAMES.join(", ")}`);
  return (await load()).peer;
}

/** The two sides of a case, or `undefined` where the peer leaves it out. */
export function sidesOf(peer: Peer, name: CaseName): Peer["unary" | "stream" | "oneWay" | "publish"] {
  switch (name) {
    case "unary-rtt":
    case "unary-rate":
      return peer.unary;
    case "server-stream":
      return peer.stream;
    case "one-way":
      return peer.oneWay;
    case "publish":
      return peer.publish;
  }
}
