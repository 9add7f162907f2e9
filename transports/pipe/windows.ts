import { createServer, type Server, type Socket } from "node:net";
import { listen } from "../bind-path.js";
import { connectPath } from "../connect-path.js";
import { dialAborted, dialWithRetry } from "../dial-retry.js";
import { errnoOf, transportErrorOf } from "../errno.js";
import { StreamLink } from "../stream-link.js";
import {
  type Link,
  type LinkLimits,
  type Listener,
  type PeerCredentials,
  type Place,
  type Transport,
  TransportError,
} from "../transport.js";
import { removeWindowsFile } from "../windows-file.js";
import { shakeAsDialler, shakeAsListener } from "./windows-handshake.js";
import {
  newPipe,
  type PipeAt,
  pipeByPath,
  pipeFilePath,
  pipeOf,
  publishPipe,
  withdrawPipe,
} from "./windows-place.js";

export interface WindowsPipeOptions {
  /** The record that tells a peer what is wrong with its bytes before the link ends: a CLOSE frame. */
  readonly closingRecord?: ((message: string) => Uint8Array) | undefined;
}

/** Payloads above this are sent in parts. */
const FRAGMENT_BYTES = 65_536;
/** How many may be in the handshake at a time. Who comes beyond that is turned away. */
const MAX_HANDSHAKES = 128;

/**
 * Links over Windows' named pipes. By name: the pipe's own name cannot be guessed, and both ends prove that they can read
 * the endpoint's file. By path (`\\.\pipe\NAME`): anybody whom Windows lets connect, and `verifiedBy` says "nobody".
 */
export function windowsPipeTransport(options: WindowsPipeOptions = {}): Transport {
  return {
    name: "pipe",

    async listen(place, limits, onLink): Promise<Listener> {
      const { at, publish, withdraw } = await placeToListen(place);
      let handshakes = 0;
      const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
        if (handshakes >= MAX_HANDSHAKES) {
          socket.destroy();
          return;
        }
        handshakes++;
        void accepted(socket, at, limits)
          // Whoever it was, that is all there is to it.
          .catch(() => undefined)
          .then((isPeer) => {
            handshakes--;
            if (isPeer === true) onLink(linkOf(socket, place, at, limits, options));
          });
      });
      try {
        await listen(server, at.path);
        await publish();
      } catch (error) {
        server.close();
        throw transportErrorOf(error, `cannot listen on ${at.path}`);
      }
      return { location: locationOf(place, at), close: closeOnce(server, withdraw) };
    },

    async dial(place, limits, signal): Promise<Link> {
      const at = place.kind === "path" ? pipeByPath(place.path) : await pipeOf(place);
      if (at === undefined) {
        throw new TransportError("notFound", `nothing can be reached at ${locationOf(place, undefined)}`);
      }
      const socket = await dialWithRetry(at.path, signal, () => connectPath(at.path, signal));
      if (at.token !== undefined) await shake(socket, at.path, at.token, limits.frameTimeoutMs, signal);
      return linkOf(socket, place, at, limits, options);
    },
  };
}

/** The dialler's part of the handshake, until `signal` aborts. */
async function shake(
  socket: Socket,
  path: string,
  token: Buffer,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const stop = (): void => void socket.destroy();
  signal?.addEventListener("abort", stop);
  try {
    await shakeAsDialler(socket, token, path, timeoutMs);
  } catch (error) {
    if (signal?.aborted) throw dialAborted(path, signal);
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

interface PlaceToListen {
  readonly at: PipeAt;
  publish(): Promise<void>;
  withdraw(): Promise<void>;
}

/** Throws a `TransportError` "inUse" where somebody listens. */
async function placeToListen(place: Place): Promise<PlaceToListen> {
  if (place.kind === "path") {
    const at = pipeByPath(place.path);
    if (await answers(at)) throw new TransportError("inUse", `another process listens on ${at.path}`);
    return { at, publish: async () => undefined, withdraw: async () => undefined };
  }
  const { directory } = place;
  const before = await pipeOf(place);
  if (before !== undefined) {
    if (await answers(before)) {
      throw new TransportError("inUse", `another process listens by ${pipeFilePath(directory)}`);
    }
    // Left by an owner that died: whoever has the claim may take it away.
    await removeWindowsFile(pipeFilePath(directory));
  }
  const { at, text } = newPipe();
  return {
    at,
    publish: () => publishPipe(directory, text),
    withdraw: () => withdrawPipe(directory, text),
  };
}

async function answers({ path }: PipeAt): Promise<boolean> {
  try {
    (await connectPath(path, undefined)).destroy();
    return true;
  } catch (error) {
    return errnoOf(error) !== "ENOENT";
  }
}

async function accepted(socket: Socket, at: PipeAt, limits: LinkLimits): Promise<boolean> {
  if (at.token !== undefined) await shakeAsListener(socket, at.token, at.path, limits.frameTimeoutMs);
  return true;
}

function closeOnce(server: Server, withdraw: () => Promise<void>): () => Promise<void> {
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    // Not waited for: it calls back when the last link is gone, and links live on.
    server.close();
    await withdraw();
  };
  return () => {
    closing ??= close();
    return closing;
  };
}

function linkOf(
  socket: Socket,
  place: Place,
  at: PipeAt,
  limits: LinkLimits,
  options: WindowsPipeOptions,
): Link {
  const peer: PeerCredentials = {
    pid: undefined,
    uid: undefined,
    gid: undefined,
    // Who knows the token can read the file, which is in our profile.
    verifiedBy: at.token === undefined ? "nobody" : "directory",
  };
  return new StreamLink({
    incoming: socket,
    outgoing: socket,
    info: { transport: "pipe", location: locationOf(place, at), reason: "", fragmentBytes: FRAGMENT_BYTES },
    peer,
    limits,
    closingRecord: options.closingRecord,
  });
}

/** The file of an endpoint, as its pipe's name says nothing to people. */
function locationOf(place: Place, at: PipeAt | undefined): string {
  return place.kind === "name" ? pipeFilePath(place.directory) : (at?.path ?? place.path);
}
