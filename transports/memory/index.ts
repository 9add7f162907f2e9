import { type Link, type LinkLimits, type Place, type Transport, TransportError } from "../transport.js";
import { type MemoryBlockOptions, MemoryBlocks } from "./memory-blocks.js";
import { type BlockSender, memoryLinkPair } from "./memory-link.js";

export interface MemoryOptions extends MemoryBlockOptions {
  /** How many blocks the other end of a link may hold before payloads go another way. 1,024 unless said. */
  readonly maxHeldBlocks?: number | undefined;
}

/** The transport, and what its blocks come to. */
export interface MemoryTransport extends Transport {
  readonly blocks: MemoryBlocks;
}

interface MemoryListener {
  readonly limits: LinkLimits;
  readonly sender: BlockSender;
  readonly onLink: (link: Link) => void;
}

const MAX_HELD_BLOCKS = 1_024;

const listeners = new Map<string, MemoryListener>();

/** Links between endpoints of one process. Its places are names and paths that mean nothing outside of it. */
export function memoryTransport(options: MemoryOptions = {}): MemoryTransport {
  const blocks = new MemoryBlocks(options);
  const sender = { blocks, maxHeldBlocks: options.maxHeldBlocks ?? MAX_HELD_BLOCKS };
  return {
    name: "memory",
    blocks,
    async listen(place, limits, onLink) {
      const key = keyOf(place);
      if (listeners.has(key)) throw new TransportError("inUse", `${describe(place)} is already listened on`);
      const listener: MemoryListener = { limits, sender, onLink };
      listeners.set(key, listener);
      return {
        location: describe(place),
        async close() {
          if (listeners.get(key) === listener) listeners.delete(key);
        },
      };
    },
    async dial(place, limits, signal) {
      if (signal?.aborted) {
        throw new TransportError("unavailable", `dialling ${describe(place)} was aborted`, {
          cause: signal.reason,
        });
      }
      const listener = listeners.get(keyOf(place));
      if (listener === undefined) {
        throw new TransportError("notFound", `nobody in this process listens on ${describe(place)}`);
      }
      const [dialled, accepted] = memoryLinkPair(describe(place), { limits, sender }, listener);
      setImmediate(() => listener.onLink(accepted));
      return dialled;
    },
  };
}

function keyOf(place: Place): string {
  return place.kind === "name" ? `name ${place.directory} ${place.name}` : `path ${place.path}`;
}

function describe(place: Place): string {
  return `memory:${place.kind === "name" ? place.name : place.path}`;
}
