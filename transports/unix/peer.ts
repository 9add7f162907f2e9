import type { Socket } from "node:net";
import { handleOf } from "../socket-handle.js";
import type { PeerCredentials } from "../transport.js";
import { kernelCredentials } from "../vouch.js";

/** Asks the kernel who is at the other end. `undefined` where it does not know. */
export type CredentialsOf = (socket: Socket) => PeerCredentials | undefined;

/** Asks the kernel by the descriptor of a connected socket: native code does that. */
export type SocketPeer = (fd: number) => readonly [pid: number, uid: number, gid: number] | undefined;

function descriptorOf(socket: Socket): number | undefined {
  const fd = handleOf(socket)?.fd;
  return typeof fd === "number" && fd >= 0 ? fd : undefined;
}

export function credentialsBy(socketPeer: SocketPeer): CredentialsOf {
  return (socket) => {
    const fd = descriptorOf(socket);
    const told = fd === undefined ? undefined : socketPeer(fd);
    return told === undefined ? undefined : kernelCredentials(told);
  };
}
