import { Fifo } from "./fifo.js";

/** What a start queue knows of its link. */
export interface StartQueueLink {
  /** The bytes of responses that wait for the peer. The link calls `resume` when they fall below the limit. */
  pendingBytes(): number;
  /** Runs a callback when the handlers that were started have had their turn. */
  atEndOfTurn(run: () => void): void;
}

/** What a response is taken to need before the first is known. */
const FIRST_EXPECTED_BYTES = 65_536;
/** How fast one large response is forgotten. */
const DECAY = 1 / 16;

/**
 * The handlers of one link, started as its peer takes the responses. A peer may open a thousand calls in one piece and
 * read none of the answers: so no more are started in one turn than may answer within what is left of the limit.
 */
export class StartQueue {
  readonly #link: StartQueueLink;
  readonly #maxPendingBytes: number;
  readonly #held = new Fifo<() => void>();
  /** What one response is expected to need: the largest of late. */
  #expectedBytes = FIRST_EXPECTED_BYTES;
  #startedBytes = 0;
  #isResuming = false;

  constructor(link: StartQueueLink, maxPendingBytes: number) {
    this.#link = link;
    this.#maxPendingBytes = maxPendingBytes;
  }

  /** Runs a handler now or later, in the order of the calls. */
  start(run: () => void): void {
    if (this.#held.length === 0 && this.#mayStart()) {
      this.#startedBytes += this.#expectedBytes;
      run();
    } else {
      this.#held.push(run);
      this.#resumeLater();
    }
  }

  /** A handler answered with about so many bytes. */
  answered(bytes: number): void {
    this.#expectedBytes = Math.max(bytes, this.#expectedBytes * (1 - DECAY));
  }

  /** The turn is over: what its handlers answered is counted as waiting, or is with the link. */
  endTurn(): void {
    this.#startedBytes = 0;
  }

  /** Starts what is held, as far as that may be. */
  resume(): void {
    while (this.#held.length > 0 && this.#mayStart()) {
      this.#startedBytes += this.#expectedBytes;
      this.#held.shift()?.();
    }
    if (this.#held.length > 0) this.#resumeLater();
  }

  /** The link is gone: whoever is held runs now, and sees that. */
  release(): void {
    for (let run = this.#held.shift(); run !== undefined; run = this.#held.shift()) run();
  }

  #mayStart(): boolean {
    return this.#link.pendingBytes() + this.#startedBytes <= this.#maxPendingBytes;
  }

  #resumeLater(): void {
    // While responses wait, the link calls `resume`; the end of a turn frees only what was started in it.
    if (this.#isResuming || this.#startedBytes === 0) return;
    this.#isResuming = true;
    this.#link.atEndOfTurn(() => {
      this.#isResuming = false;
      this.endTurn();
      this.resume();
    });
  }
}
