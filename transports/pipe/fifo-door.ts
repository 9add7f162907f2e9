import { closeSync, constants, fstatSync, openSync, type Stats } from "node:fs";
import { isSameFile, knockFifo, lstatIfAny, type PathKind } from "../bind-path.js";
import { errnoOf } from "../errno.js";
import { TransportError } from "../transport.js";

/** The FIFO on which a listener is told of requests. */
export const DOOR: PathKind = {
  name: "FIFO",
  is: (stats) => stats.isFIFO(),
  knock: async (path) => knockFifo(path),
};

// A FIFO that nobody reads cannot be opened so: ENXIO. That is how a dead listener, and a dead dialler, are told.
export const WRITE: number = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;
export const READ: number = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;

/** The door as the dialler holds it. */
export interface OpenDoor {
  readonly fd: number;
  /** Whether it is still where it was opened, and somebody reads it. */
  isKept(): Promise<boolean>;
}

/** Opens a door for ringing. Throws the system's error, or a `TransportError`: "notFound" where nobody listens. */
export function openDoor(path: string): OpenDoor {
  const fd = openForRinging(path);
  let own: Stats;
  try {
    own = fstatSync(fd);
    if (!own.isFIFO()) throw new TransportError("denied", `${path} is no FIFO`);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return {
    fd,
    isKept: async () => isSameFile(own, await lstatIfAny(path)) && (await DOOR.knock(path)) === "alive",
  };
}

function openForRinging(path: string): number {
  try {
    return openSync(path, WRITE);
  } catch (error) {
    if (errnoOf(error) !== "ENXIO") throw error;
    throw new TransportError("notFound", `nobody listens on ${path}`, { cause: error });
  }
}

const ID_LENGTH = 16;
const LINE_END = 0x0a;

/**
 * What is written to a door for a request: its id on a line of its own, whatever was written before. At once, and so short
 * that rings do not mix.
 */
export function ringFor(id: string): string {
  return `\n${id}\n`;
}

/** Cuts what comes through a door into lines; one that is no ring is skipped up to its end, however long it is. */
export class RingReader {
  readonly #onRing: (id: string) => void;
  #line = "";

  constructor(onRing: (id: string) => void) {
    this.#onRing = onRing;
  }

  push(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte === LINE_END) {
        if (this.#line.length === ID_LENGTH) this.#onRing(this.#line);
        this.#line = "";
      } else if (this.#line.length <= ID_LENGTH) {
        // One character more than an id has: then it is none.
        this.#line += String.fromCharCode(byte);
      }
    }
  }
}
