import {
  type BlockStore,
  type Link,
  type LinkLimits,
  type Transport,
  TransportError,
} from "../../transports/transport.js";
import type { World } from "./world.js";

/** Makes the two ends of a link, the dialler's first. */
export type MakePair = (path: string, dialler: LinkLimits, acceptor: LinkLimits) => readonly [Link, Link];

interface Listening {
  readonly limits: LinkLimits;
  readonly onLink: (link: Link) => void;
}

/** The transport of one world: its places are paths, and exist in the world alone. */
export function simTransport(world: World, blocks: BlockStore | undefined, makePair: MakePair): Transport {
  const listeners = new Map<string, Listening>();
  return {
    name: "sim",
    blocks,
    async listen(place, limits, onLink) {
      const path = place.kind === "path" ? place.path : place.name;
      listeners.set(path, { limits, onLink });
      return {
        location: path,
        async close() {
          listeners.delete(path);
        },
      };
    },
    async dial(place, limits) {
      const path = place.kind === "path" ? place.path : place.name;
      const listening = listeners.get(path);
      if (listening === undefined) throw new TransportError("notFound", `nobody listens on sim:${path}`);
      const [dialled, accepted] = makePair(path, limits, listening.limits);
      world.after(0, () => listening.onLink(accepted));
      return dialled;
    },
  };
}
