import { join } from "node:path";
import { type Binding, loadBinding, Waiting } from "../../bindings/node/binding.js";
import { type BlockStore, type Link, type Place, type Transport, TransportError } from "../transport.js";
import { ShmBlocks } from "./blocks.js";
import { dialShm, type ShmSettings } from "./dial.js";
import { hubOf } from "./hub.js";
import { listenShm } from "./listen.js";
import { ShmLink } from "./shm-link.js";

export { type Binding, type Loaded, loadBinding } from "../../bindings/node/binding.js";

export interface ShmOptions {
  /**
   * How the event loop waits for records. "adaptive", the default: it looks at the links in use for up to 20 us before it
   * sleeps, so that a busy pair needs no system call; a link that was idle for a millisecond costs nothing. "event": it
   * never looks before it sleeps. "spin": it never sleeps, and takes a whole core for the lowest latency.
   */
  readonly waiting?: "adaptive" | "event" | "spin" | undefined;
  /** The addon; where none is given, the one that `loadBinding` finds. */
  readonly binding?: Binding | undefined;
  /** The record that tells a peer what is wrong with its records before the link ends: a CLOSE frame. */
  readonly closingRecord?: ((message: string) => Uint8Array) | undefined;
}

const WAITING = { adaptive: Waiting.ADAPTIVE, event: Waiting.EVENT, spin: Waiting.SPIN };

/**
 * Links over shared memory. Of the limits, `sendBufferBytes` means nothing here: what waits for the peer is in a ring of
 * 262,144 bytes and in blocks, of which a peer may hold 1,024 and 134,217,728 bytes. Throws a `TransportError`
 * "unavailable" where there is no addon, and a `TypeError` for a way to wait that there is not.
 */
export function shmTransport(options: ShmOptions = {}): Transport & { readonly blocks: BlockStore } {
  const { waiting = "adaptive", closingRecord } = options;
  if (!Object.hasOwn(WAITING, waiting)) {
    const known = Object.keys(WAITING).join(", ");
    throw new TypeError(`waiting is ${JSON.stringify(waiting)}; it must be one of: ${known}`);
  }
  const hub = hubOf(options.binding ?? existingBinding());
  const blocks = new ShmBlocks(hub);
  const settings: ShmSettings = { hub, blocks, waiting: WAITING[waiting] };
  const linkOf = (id: number, location: string, maxRecordBytes: number): Link =>
    new ShmLink({ hub, id, location, blocks, maxRecordBytes, closingRecord });
  return {
    name: "shm",
    blocks,
    listen(place, limits, onLink) {
      const path = pathOf(place);
      return listenShm(settings, place, path, limits, (id) =>
        onLink(linkOf(id, path, limits.maxRecordBytes)),
      );
    },
    async dial(place, limits, signal) {
      const path = pathOf(place);
      return dialShm(settings, place, path, limits, signal, (id) => linkOf(id, path, limits.maxRecordBytes));
    },
  };
}

function existingBinding(): Binding {
  const loaded = loadBinding();
  if (loaded.binding === undefined) throw new TransportError("unavailable", loaded.reason);
  return loaded.binding;
}

function pathOf(place: Place): string {
  return place.kind === "name" ? join(place.directory, "shm") : place.path;
}
