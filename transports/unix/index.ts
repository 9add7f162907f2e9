import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { bindPath, listen, SOCKET } from "../bind-path.js";
import { type SharedReads, withSharedReads } from "../shared-reads.js";
import { checkSocketPath, TEMPORARY_SUFFIX_BYTES } from "../socket-path.js";
import { StreamLink } from "../stream-link.js";
import type { Link, LinkLimits, Listener, PeerCredentials, Place, Transport } from "../transport.js";
import { vouchFor } from "../vouch.js";
import { dialSocket } from "./dial.js";
import type { CredentialsOf } from "./peer.js";

export { type CredentialsOf, credentialsBy, type SocketPeer } from "./peer.js";

export interface UnixOptions {
  /** Asks the kernel for the peer's identity. Without it, or where it knows nothing, the directory vouches. */
  readonly credentialsOf?: CredentialsOf | undefined;
  /** The record that tells a peer what is wrong with its bytes before the link ends: a CLOSE frame. */
  readonly closingRecord?: ((message: string) => Uint8Array) | undefined;
}

/** Payloads above this are sent in parts. */
const FRAGMENT_BYTES = 65_536;

/** Links over Unix domain sockets, as byte streams. */
export function unixTransport(options: UnixOptions = {}): Transport {
  return {
    name: "unix",

    async listen(place, limits, onLink): Promise<Listener> {
      const path = pathOf(place);
      checkSocketPath(path, TEMPORARY_SUFFIX_BYTES);
      let vouched: PeerCredentials | undefined;
      const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (accepted) => {
        if (vouched === undefined) {
          accepted.destroy();
          return;
        }
        const { socket, reads } = withSharedReads(accepted);
        onLink(linkOf(socket, path, limits, vouched, options, reads));
      });
      const socket = {
        kind: SOCKET,
        listen: (at: string) => listen(server, at),
        close: () => void server.close(),
      };
      const unbind = await bindPath(socket, path, async (temporary) => {
        vouched = await vouchFor(place, temporary, SOCKET);
      });
      let closing: Promise<void> | undefined;
      const close = async (): Promise<void> => {
        await unbind();
        // Not waited for: it calls back when the last link is gone, and links live on.
        server.close();
      };
      return {
        location: path,
        close() {
          closing ??= close();
          return closing;
        },
      };
    },

    async dial(place, limits, signal): Promise<Link> {
      const path = pathOf(place);
      const { socket, vouched, reads } = await dialSocket(place, path, signal);
      return linkOf(socket, path, limits, vouched, options, reads);
    },
  };
}

function pathOf(place: Place): string {
  return place.kind === "name" ? join(place.directory, "unix") : place.path;
}

function linkOf(
  socket: Socket,
  location: string,
  limits: LinkLimits,
  vouched: PeerCredentials,
  options: UnixOptions,
  reads: SharedReads | undefined,
): Link {
  return new StreamLink({
    incoming: socket,
    reads,
    outgoing: socket,
    info: { transport: "unix", location, reason: "", fragmentBytes: FRAGMENT_BYTES },
    peer: options.credentialsOf?.(socket) ?? vouched,
    limits,
    closingRecord: options.closingRecord,
  });
}
