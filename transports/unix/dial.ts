import type { Socket } from "node:net";
import { SOCKET } from "../bind-path.js";
import { connectPath } from "../connect-path.js";
import { dialWithRetry } from "../dial-retry.js";
import { type SharedReads, sharedReads } from "../shared-reads.js";
import { checkSocketPath } from "../socket-path.js";
import type { PeerCredentials, Place } from "../transport.js";
import { vouchFor } from "../vouch.js";

/** Connects, and says who is known to be there. Rejects with a `TransportError`. */
export async function dialSocket(
  place: Place,
  path: string,
  signal: AbortSignal | undefined,
): Promise<{ socket: Socket; vouched: PeerCredentials; reads: SharedReads | undefined }> {
  checkSocketPath(path, 0);
  const vouched = await vouchFor(place, path, SOCKET);
  const reads = sharedReads();
  const connect = (): Promise<Socket> => connectPath(path, signal, reads?.onread);
  return { socket: await dialWithRetry(path, signal, connect), vouched, reads };
}
