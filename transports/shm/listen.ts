import { bindPath, SOCKET } from "../bind-path.js";
import { checkSocketPath, TEMPORARY_SUFFIX_BYTES } from "../socket-path.js";
import type { LinkLimits, Listener, Place } from "../transport.js";
import { vouchFor } from "../vouch.js";
import { attach, shmError } from "./attach.js";
import { MAX_BLOCK_BYTES, RING_BYTES, type ShmSettings } from "./dial.js";

/** How long a listener rests after the system had nothing for another link. */
const REST_MS = 100;

/** Listens, and hands over the ids of attached links. Rejects with a `TransportError`. */
export async function listenShm(
  settings: ShmSettings,
  place: Place,
  path: string,
  limits: LinkLimits,
  onAttached: (id: number) => void,
): Promise<Listener> {
  checkSocketPath(path, TEMPORARY_SUFFIX_BYTES);
  const { hub, blocks, waiting } = settings;
  const { native } = hub;
  const attaching = new Set<() => void>();
  let listener = 0;

  const onAccepted = (id: number): void => {
    const giveUp = attach({
      hub,
      id,
      path,
      timeoutMs: limits.frameTimeoutMs,
      onAttached() {
        attaching.delete(giveUp);
        onAttached(id);
      },
      // Whoever knocks and goes away again is no link.
      onFailed: () => attaching.delete(giveUp),
    });
    attaching.add(giveUp);
  };

  const stop = (): void => {
    if (listener === 0) return;
    hub.listeners.delete(listener);
    native.listenerClose(listener);
    listener = 0;
    blocks.drop();
  };

  const socket = {
    kind: SOCKET,
    async listen(at: string): Promise<void> {
      const id = native.listen(at, blocks.retain(), waiting, RING_BYTES, MAX_BLOCK_BYTES);
      if (id < 0) {
        blocks.drop();
        throw shmError(hub, id, `cannot listen on ${path}`);
      }
      listener = id;
      hub.listeners.set(id, {
        onAccepted,
        onFailed: () => {
          setTimeout(() => native.listenerResume(id), REST_MS).unref();
        },
      });
    },
    close: stop,
  };
  const unbind = await bindPath(socket, path, async (temporary) => {
    await vouchFor(place, temporary, SOCKET);
  });

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await unbind();
    stop();
    for (const giveUp of attaching) giveUp();
    attaching.clear();
  };
  return {
    location: path,
    close() {
      closing ??= close();
      return closing;
    },
  };
}
