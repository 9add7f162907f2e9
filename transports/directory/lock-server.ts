import { createServer, type Server, type Socket } from "node:net";

/** How many may watch one owner. Beyond that a connection is closed at once, and whoever made it has to ask again. */
const MAX_WATCHERS = 4_096;

/** A server whose connections are kept open until it closes: their end tells of the owner's. */
export interface LockServer {
  readonly server: Server;
  close(): Promise<void>;
}

/** Nobody has anything to say here. The lock alone is no reason to keep the process running. */
export function lockServer(): LockServer {
  const watchers = new Set<Socket>();
  const server = createServer((socket) => {
    watchers.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => watchers.delete(socket));
    // Read, so that its end is seen; what comes is dropped.
    socket.resume();
    socket.unref();
  });
  server.maxConnections = MAX_WATCHERS;
  server.unref();
  return {
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of watchers) socket.destroy();
      }),
  };
}
