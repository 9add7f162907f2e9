import { closeSync, openSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { Socket } from "node:net";
import { bindPath } from "../bind-path.js";
import type { Listener, PeerCredentials, Place } from "../transport.js";
import { vouchFor } from "../vouch.js";
import { DOOR, READ, RingReader, WRITE } from "./fifo-door.js";
import { type Ends, sweepRequests, takeRequest } from "./fifo-request.js";
import type { MakeFifos } from "./make-fifos.js";

/** So many requests are taken in a turn of the event loop. */
const TAKEN_AT_A_TIME = 16;
/** So many rings are kept at least before the door is not read for a while; the rest waits in the kernel. */
const MOST_RINGS = 256;
/** How long a listener rests after the system had nothing for another link. */
const REST_MS = 100;
/** Between two looks at what killed diallers have left. */
const SWEEP_PERIOD_MS = 60_000;

/** Listens, and hands over the ends of each request. Rejects with a `TransportError`. */
export async function listenAtDoor(
  place: Place,
  path: string,
  makeFifos: MakeFifos,
  onEnds: (ends: Ends, vouched: PeerCredentials) => void,
): Promise<Listener> {
  let door: Door | undefined;
  let vouched: PeerCredentials | undefined;
  const bindable = {
    kind: DOOR,
    async listen(at: string): Promise<void> {
      await makeFifos([at]);
      try {
        door = new Door(at, path, (ends) => {
          if (vouched !== undefined) onEnds(ends, vouched);
        });
      } catch (error) {
        await unlink(at);
        throw error;
      }
    },
    close: () => door?.close(),
  };
  const unbind = await bindPath(bindable, path, async (temporary) => {
    vouched = await vouchFor(place, temporary, DOOR);
  });
  // What cannot be removed is in nobody's way.
  await sweepRequests(path, false).catch(() => undefined);
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const isOurs = await unbind();
    door?.close();
    // Those at a successor's door are not ours to refuse.
    await sweepRequests(path, isOurs).catch(() => undefined);
  };
  return {
    location: path,
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** An open door: takes requests in the order of their rings. */
class Door {
  readonly #path: string;
  readonly #onEnds: (ends: Ends) => void;
  readonly #rings: string[] = [];
  readonly #socket: Socket;
  /** Holds the door open for writing, so that it has no end while there is no dialler. */
  readonly #writer: number;
  #isClosed = false;
  #isTaking = false;
  #nextSweepAt = performance.now() + SWEEP_PERIOD_MS;

  constructor(at: string, path: string, onEnds: (ends: Ends) => void) {
    this.#path = path;
    this.#onEnds = onEnds;
    const reader = openSync(at, READ);
    try {
      this.#writer = openSync(at, WRITE);
    } catch (error) {
      closeSync(reader);
      throw error;
    }
    this.#socket = new Socket({ fd: reader, readable: true, writable: false });
    const rings = new RingReader((id) => this.#rings.push(id));
    this.#socket.on("data", (bytes: Buffer) => {
      rings.push(bytes);
      if (this.#rings.length >= MOST_RINGS) this.#socket.pause();
      this.#takeSoon();
    });
    // What cannot be read is no ring.
    this.#socket.on("error", () => {});
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#rings.length = 0;
    this.#socket.destroy();
    closeSync(this.#writer);
  }

  #takeSoon(): void {
    if (this.#isTaking || this.#rings.length === 0) return;
    this.#isTaking = true;
    setImmediate(() => this.#takeSome());
  }

  #takeSome(): void {
    this.#isTaking = false;
    for (let count = 0; count < TAKEN_AT_A_TIME; count++) {
      const id = this.#rings[0];
      if (this.#isClosed || id === undefined) break;
      if (!this.#take(id)) return;
      this.#rings.shift();
    }
    if (this.#isClosed) return;
    if (this.#rings.length < MOST_RINGS) this.#socket.resume();
    this.#takeSoon();
    this.#sweepAtTimes();
  }

  /** False where the system has nothing for another link: it is tried again later. */
  #take(id: string): boolean {
    try {
      const ends = takeRequest(this.#path, id);
      if (ends !== undefined) this.#onEnds(ends);
      return true;
    } catch {
      this.#isTaking = true;
      setTimeout(() => this.#takeSome(), REST_MS).unref();
      return false;
    }
  }

  #sweepAtTimes(): void {
    if (performance.now() < this.#nextSweepAt) return;
    this.#nextSweepAt = performance.now() + SWEEP_PERIOD_MS;
    void sweepRequests(this.#path, false).catch(() => undefined);
  }
}
