import type { Limits } from "../limits.js";

/** The bytes that a link's streams may be granted above their initial ones. */
export interface GrantBudget {
  bytes: number;
}

/** What one stream may still send to us, and what we give back as it is consumed. */
export class ReceiveWindow {
  readonly #limits: Limits;
  readonly #budget: GrantBudget;
  /** What the peer may still send. Bytes below 0: one message overdrew. */
  #messages: number;
  #bytes: number;
  #windowMessages: number;
  #windowBytes: number;
  #consumedMessages = 0;
  #consumedBytes = 0;
  #held = 0;

  constructor(limits: Limits, budget: GrantBudget) {
    this.#limits = limits;
    this.#budget = budget;
    this.#messages = this.#windowMessages = limits.initialMessages;
    this.#bytes = this.#windowBytes = limits.initialBytes;
  }

  /** Counts a message that begins; false where the peer had no credit for it. */
  takeMessage(): boolean {
    if (this.#messages < 1 || this.#bytes <= 0) return false;
    this.#messages--;
    return true;
  }

  takeBytes(count: number): void {
    this.#bytes -= count;
  }

  /** Widens the window if the budget allows. Returns what was added, which the peer must be told. */
  widen(): { messages: number; bytes: number } {
    const bytes = this.#limits.windowBytes - this.#windowBytes;
    if (bytes <= 0 || bytes > this.#budget.bytes) return { messages: 0, bytes: 0 };
    const messages = Math.max(0, this.#limits.windowMessages - this.#windowMessages);
    this.#budget.bytes -= bytes;
    this.#held += bytes;
    this.#windowBytes += bytes;
    this.#windowMessages += messages;
    this.#bytes += bytes;
    this.#messages += messages;
    return { messages, bytes };
  }

  /** Counts what the user has taken. True where it is time to grant it again. */
  consume(bytes: number): boolean {
    this.#consumedMessages++;
    this.#consumedBytes += bytes;
    return this.#consumedMessages * 2 >= this.#windowMessages || this.#consumedBytes * 2 >= this.#windowBytes;
  }

  /** What to grant now. */
  grant(): { messages: number; bytes: number } {
    const consumed = { messages: this.#consumedMessages, bytes: this.#consumedBytes };
    this.#consumedMessages = 0;
    this.#consumedBytes = 0;
    this.#messages += consumed.messages;
    this.#bytes += consumed.bytes;
    const added = this.widen();
    return { messages: consumed.messages + added.messages, bytes: consumed.bytes + added.bytes };
  }

  /** Gives the budget back. */
  release(): void {
    this.#budget.bytes += this.#held;
    this.#held = 0;
  }
}
