import { Socket } from "node:net";
import { join } from "node:path";
import { sharedReads } from "../shared-reads.js";
import { StreamLink, type StreamLinkOptions } from "../stream-link.js";
import type { Link, LinkLimits, PeerCredentials, Place, Transport } from "../transport.js";
import { checkDoorPath, dialDoor } from "./fifo-dial.js";
import { listenAtDoor } from "./fifo-listen.js";
import { type MakeFifos, makeFifosByDefault } from "./make-fifos.js";

export interface FifoOptions {
  /** What makes FIFOs, as Node cannot. Without it, the system's program `mkfifo`. */
  readonly makeFifos?: MakeFifos | undefined;
  /** The record that tells a peer what is wrong with its bytes before the link ends: a CLOSE frame. */
  readonly closingRecord?: ((message: string) => Uint8Array) | undefined;
}

/** Payloads above this are sent in parts. */
const FRAGMENT_BYTES = 65_536;

/** Links over pairs of FIFOs, as byte streams. */
export function fifoTransport(options: FifoOptions = {}): Transport {
  const { makeFifos = makeFifosByDefault, closingRecord } = options;

  const linkOf = (
    streams: Pick<StreamLinkOptions, "incoming" | "outgoing" | "reads">,
    location: string,
    limits: LinkLimits,
    peer: PeerCredentials,
  ): Link => {
    const info = { transport: "pipe", location, reason: "", fragmentBytes: FRAGMENT_BYTES };
    return new StreamLink({ ...streams, info, peer, limits, closingRecord });
  };

  return {
    name: "pipe",

    async listen(place, limits, onLink) {
      const path = pathOf(place);
      checkDoorPath(path);
      return listenAtDoor(place, path, makeFifos, ({ incoming, outgoing }, vouched) => {
        const reads = sharedReads();
        const reading = { fd: incoming, readable: true, writable: false, onread: reads?.onread };
        const streams = {
          incoming: new Socket(reading).pause(),
          outgoing: new Socket({ fd: outgoing, readable: false, writable: true }),
          reads,
        };
        onLink(linkOf(streams, path, limits, vouched));
      });
    },

    async dial(place, limits, signal) {
      const path = pathOf(place);
      const { vouched, ...streams } = await dialDoor(place, path, makeFifos, limits.frameTimeoutMs, signal);
      return linkOf(streams, path, limits, vouched);
    },
  };
}

function pathOf(place: Place): string {
  return place.kind === "name" ? join(place.directory, "pipe") : place.path;
}
