import { closeSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { isAbsolute } from "node:path";
import { dialAborted, dialWithRetry } from "../dial-retry.js";
import { errnoOf } from "../errno.js";
import { type PeerCredentials, type Place, TransportError } from "../transport.js";
import { vouchFor } from "../vouch.js";
import { DOOR, openDoor, type OpenDoor, ringFor } from "./fifo-door.js";
import { ACCEPTED, makeRequest, removeRequest, type Request, requestIsThere } from "./fifo-request.js";
import type { MakeFifos } from "./make-fifos.js";

/** Between two looks at whether the listener that was rung still lives. */
const LOOK_PERIOD_MS = 50;

/** The dialler's ends, of which the listener has both others. */
export interface Dialled {
  readonly incoming: Socket;
  readonly outgoing: Socket;
  readonly vouched: PeerCredentials;
}

export function checkDoorPath(path: string): void {
  if (isAbsolute(path) && !path.includes("\0")) return;
  throw new TransportError("invalid", `the path ${JSON.stringify(path)} of a FIFO is not an absolute path`);
}

/** The listener that was rung has changed, or has no room: another request may be taken. */
class NotTaken extends Error {
  readonly code = "EAGAIN";
}

/** Connects, and says who is known to be there. Rejects with a `TransportError`. */
export async function dialDoor(
  place: Place,
  path: string,
  makeFifos: MakeFifos,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Dialled> {
  checkDoorPath(path);
  const giveUpAt = performance.now() + timeoutMs;
  return dialWithRetry(path, signal, async () => {
    signal?.throwIfAborted();
    const vouched = await vouchFor(place, path, DOOR);
    const door = openDoor(path);
    try {
      const request = await makeRequest(path, makeFifos);
      return { ...(await ringAndWait(path, door, request, giveUpAt, signal)), vouched };
    } finally {
      closeSync(door.fd);
    }
  });
}

async function ringAndWait(
  path: string,
  door: OpenDoor,
  request: Request,
  giveUpAt: number,
  signal: AbortSignal | undefined,
): Promise<Pick<Dialled, "incoming" | "outgoing">> {
  const incoming = new Socket({ fd: request.incoming, readable: true, writable: false });
  try {
    signal?.throwIfAborted();
    ring(path, door, request.id);
    await accepted(path, door, request, incoming, giveUpAt, signal);
  } catch (error) {
    incoming.destroy();
    closeSync(request.outgoing);
    await removeRequest(request.folder);
    throw error;
  }
  return { incoming, outgoing: new Socket({ fd: request.outgoing, readable: false, writable: true }) };
}

/** Throws the system's error: EAGAIN where the door is full. */
function ring(path: string, { fd }: OpenDoor, id: string): void {
  try {
    writeSync(fd, ringFor(id));
  } catch (error) {
    if (errnoOf(error) !== "EPIPE") throw error;
    throw new TransportError("notFound", `nobody listens on ${path} any more`, { cause: error });
  }
}

/** Waits for the listener's first byte, which is taken from the stream. */
function accepted(
  path: string,
  door: OpenDoor,
  request: Request,
  incoming: Socket,
  giveUpAt: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    let wasRemoved = false;
    let timer: NodeJS.Timeout | undefined;
    const settle = (error?: unknown): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      incoming.off("readable", onReadable);
      incoming.off("end", onGone);
      if (error === undefined) resolve();
      else reject(error);
    };
    const fail = (kind: TransportError["kind"], why: string): void =>
      settle(new TransportError(kind, `cannot connect to ${path}: ${why}`));
    const onReadable = (): void => {
      const first = incoming.read(1) as Buffer | null;
      if (first === null) return;
      if (first[0] === ACCEPTED) settle();
      else fail("unavailable", `the listener's first byte is ${first[0]}, not ${ACCEPTED}`);
    };
    const onGone = (): void => fail("notFound", "the listener went away");
    const onAbort = (): void => settle(dialAborted(path, signal));
    const look = async (): Promise<void> => {
      if (performance.now() > giveUpAt) fail("busy", "the listener did not take the request in time");
      else if (!(await door.isKept())) fail("notFound", "the listener went away");
      // What was taken was answered before it was removed: the answer is to be read within this period.
      else if (wasRemoved) settle(new NotTaken(`the listener on ${path} removed the request`));
      else if (!isOver) {
        wasRemoved = !(await requestIsThere(request.folder));
        if (!isOver) timer = setTimeout(() => void look().catch(settle), LOOK_PERIOD_MS);
      }
    };
    incoming.on("readable", onReadable);
    incoming.once("end", onGone);
    // Stays on, so that an error before the link listens for it ends no process.
    incoming.on("error", settle);
    signal?.addEventListener("abort", onAbort);
    timer = setTimeout(() => void look().catch(settle), LOOK_PERIOD_MS);
  });
}
