import type { CaseName } from "../cases.js";
import type { Peer } from "./peer.js";

/** In the order of the tables. Each is loaded only where it runs, so that no peer pays for another. */
const LOADERS: Readonly<Record<string, () => Promise<{ readonly peer: Peer }>>> = {
  "protoipc-shm": () => import("./protoipc-shm.js"),
  "protoipc-unix": () => import("./protoipc-unix.js"),
  "protoipc-pipe": () => import("./protoipc-pipe.js"),
  "protoipc-shm-reflect": () => import("./protoipc-shm-reflect.js"),
  "protoipc-unix-reflect": () => import("./protoipc-unix-reflect.js"),
  net: () => import("./net.js"),
  "grpc-js": () => import("./grpc-js.js"),
  connect: () => import("./connect.js"),
  zeromq: () => import("./zeromq.js"),
  fork: () => import("./fork.js"),
  "protoipc-shm-loop": () => import("./protoipc-shm-loop.js"),
  "protoipc-shm-event": () => import("./protoipc-shm-event.js"),
  "protoipc-c": () => import("./protoipc-c.js"),
  "net-raw": () => import("./net-raw.js"),
  "c-cacheline": () => import("./c-cacheline.js"),
  "c-ring": () => import("./c-ring.js"),
  "c-eventfd": () => import("./c-eventfd.js"),
};

export const PEER_NAMES: readonly string[] = Object.keys(LOADERS);

export async function loadPeer(name: string): Promise<Peer> {
  const load = LOADERS[name];
  if (load === undefined) throw new Error(`"${name}" is no peer; there are ${PEER_NAMES.join(", ")}`);
  return (await load()).peer;
}

/** Which of a peer's sides a case runs. */
const SIDES = {
  "unary-rtt": "unary",
  "unary-rate": "unary",
  "server-stream": "stream",
  "one-way": "oneWay",
  publish: "publish",
  "publish-cpu": "publishCpu",
  "publish-raw": "publishRaw",
  "record-rtt": "record",
  "wake-up": "wakeUp",
  death: "death",
} as const;

/** The sides of a peer that a case runs. */
export type SidesOf<Name extends CaseName> = NonNullable<Peer[(typeof SIDES)[Name]]>;

/** The two sides of a case, or `undefined` where the peer leaves it out or has a program for it. */
export function sidesOf<Name extends CaseName>(peer: Peer, name: Name): SidesOf<Name> | undefined {
  return peer[SIDES[name]] as SidesOf<Name> | undefined;
}

/** Whether the peer has the case. */
export function hasCase(peer: Peer, name: CaseName): boolean {
  return sidesOf(peer, name) !== undefined || peer.programs?.[name] !== undefined;
}
