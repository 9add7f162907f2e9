import { connect, type OnReadOpts, type Socket } from "node:net";

/**
 * Connects to a Unix socket, once. The socket is paused, and stays open for writing when the peer has ended. Rejects
 * with the system's error, or with `signal.reason`.
 */
export function connectPath(
  path: string,
  signal: AbortSignal | undefined,
  onread?: OnReadOpts | undefined,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const socket = connect({ path, allowHalfOpen: true, onread });
    socket.pause();
    const stop = (): void => {
      socket.off("connect", onConnect);
      signal?.removeEventListener("abort", onAbort);
    };
    const onConnect = (): void => {
      stop();
      resolve(socket);
    };
    // Stays on, so that an error before the caller listens for it ends no process.
    const onError = (error: Error): void => {
      stop();
      reject(error);
    };
    const onAbort = (): void => {
      stop();
      socket.destroy();
      reject(signal?.reason);
    };
    socket.once("connect", onConnect);
    socket.on("error", onError);
    signal?.addEventListener("abort", onAbort);
  });
}
