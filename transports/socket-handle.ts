import type { Socket } from "node:net";

/** A Node socket's `_handle`: what stands for it in the system. It has no public name. */
export interface SocketHandle {
  readonly fd?: unknown;
}

export function handleOf(socket: Socket): SocketHandle | undefined {
  const { _handle: handle } = socket as { _handle?: unknown };
  return typeof handle === "object" && handle !== null ? handle : undefined;
}

/** The socket no longer has it, and does nothing to it when it is destroyed. */
export function dropHandle(socket: Socket): void {
  (socket as { _handle?: unknown })._handle = null;
}
