import type { Socket } from "node:net";
import { SOCKET } from "../bind-path.js";
import { connectPath } from "../connect-path.js";
import { dialWithRetry } from "../dial-retry.js";
import { checkSocketPath } from "../socket-path.js";
import type { PeerCredentials, Place } from "../transport.js";
import { vouchFor } from "../vouch.js";

/** Connects, and says who is known to be there. Rejects with a `TransportError`. */
export async function dialSocket(
  place: Place,
  path: string,
  signal: AbortSignal | undefined,
): Promise<{ socket: Socket; vouched: PeerCredentials }> {
  checkSocketPath(path, 0);
  const vouched = await vouchFor(place, path, SOCKET);
  return { socket: await dialWithRetry(path, signal, () => connectPath(path, signal)), vouched };
}
