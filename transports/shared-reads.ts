import type { OnReadOpts } from "node:net";

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
