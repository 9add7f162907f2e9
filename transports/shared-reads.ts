import { type OnReadOpts, Socket, type SocketConstructorOpts } from "node:net";
import { dropHandle, handleOf, type SocketHandle } from "./socket-handle.js";

/**
 * What is read from a socket at once. More than the system holds for one (about 200 KiB on Linux), so that a reader empties
 * it with one call and its writer, which waits for that, goes on while what came is looked at.
 */
const READ_BYTES = 262_144;

/** Bytes that came: `bytes[0, end)`, good during the call only. */
export type OnBytes = (bytes: Uint8Array, end: number) => void;

/** Where a socket's bytes go, which were read into memory that all sockets of the thread share. */
export interface SharedReads {
  /** The `onread` of the socket, which has to be paused until `onBytes` is set. */
  readonly onread: OnReadOpts;
  onBytes: OnBytes | undefined;
}

let shared: Uint8Array | undefined;

/**
 * Has a socket read without allocating: a new array for every 64 KiB that come is what the garbage collector is busy with
 * most. `undefined` on Windows, where the system may write into the memory at any time before it tells.
 */
export function sharedReads(): SharedReads | undefined {
  if (process.platform === "win32") return undefined;
  const reads: SharedReads = {
    onread: {
      // Asked for before every read; libuv reads into it and tells at once, before it reads from another socket.
      buffer: () => {
        shared ??= new Uint8Array(READ_BYTES);
        return shared;
      },
      callback(count, bytes) {
        reads.onBytes?.(bytes, count);
        return true;
      },
    },
    onBytes: undefined,
  };
  return reads;
}

/** `handle` is what Node's own servers make sockets with; `onread` is documented, and missing in the types. */
interface HandleOpts extends SocketConstructorOpts {
  readonly handle: SocketHandle;
  readonly onread: OnReadOpts;
}

/**
 * Has a socket read so that Node has made and that has read nothing yet: a server's, or a child process's. Its handle goes to
 * a socket of our own, paused and half-open; the old one is closed and of no use any more. Where that cannot be, the socket
 * is what it was, and `reads` is `undefined`.
 */
export function withSharedReads(old: Socket): { socket: Socket; reads: SharedReads | undefined } {
  const unchanged = { socket: old, reads: undefined };
  const handle = handleOf(old);
  const reads = sharedReads();
  if (reads === undefined || handle === undefined || old.bytesRead > 0) return unchanged;
  const { readable, writable } = old;
  const { onread } = reads;
  const options: HandleOpts = { handle, onread, readable, writable, allowHalfOpen: true };
  const socket = new Socket(options).pause();
  if (handleOf(socket) !== handle) return unchanged;
  dropHandle(old);
  old.destroy();
  return { socket, reads };
}
