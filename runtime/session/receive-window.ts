import type { Limits } from "../limits.js";

/** The bytes that a link's streams may be granted above their initial ones. */
export interface GrantBudget {
  bytes: number;
}

/** How many times `windowBytes` a stream may be granted that is read, where payloads come in blocks. */
export const BLOCK_WINDOWS = 4;

/** What one stream may still send to us, and what we give back as it is consumed. */
export class ReceiveWindow {
  readonly #limits: Limits;
  readonly #budget: GrantBudget;
  readonly #mostBytes: number;
  /** What the peer may still send. Bytes below 0: one message overdrew. */
  #messages: number;
  #bytes: number;
  #windowMessages: number;
  #windowBytes: number;
  #consumedMessages = 0;
  #consumedBytes = 0;
  #held = 0;

  /** `mostBytes`: what the window may grow to, `windowBytes` or more. */
  constructor(limits: Limits, budget: GrantBudget, mostBytes: number = limits.windowBytes) {
    this.#limits = limits;
    this.#budget = budget;
    this.#mostBytes = mostBytes;
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

  /** Widens the window to `windowBytes` if the budget allows. Returns what was added, which the peer must be told. */
  widen(): { messages: number; bytes: number } {
    return this.#widenTo(this.#limits.windowBytes, 0);
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
    const added = this.#widenFurther();
    return { messages: consumed.messages + added.messages, bytes: consumed.bytes + added.bytes };
  }

  /** What is read may grow beyond `windowBytes`. For that half of the budget is there: what comes later is to find some. */
  #widenFurther(): { messages: number; bytes: number } {
    if (this.#windowBytes < this.#limits.windowBytes) return this.widen();
    return this.#widenTo(this.#mostBytes, this.#limits.streamBudgetBytes / 2);
  }

  #widenTo(windowBytes: number, sparedBytes: number): { messages: number; bytes: number } {
    const bytes = windowBytes - this.#windowBytes;
    if (bytes <= 0 || bytes > this.#budget.bytes - sparedBytes) return { messages: 0, bytes: 0 };
    const messages = Math.max(0, this.#limits.windowMessages - this.#windowMessages);
    this.#budget.bytes -= bytes;
    this.#held += bytes;
    this.#windowBytes += bytes;
    this.#windowMessages += messages;
    this.#bytes += bytes;
    this.#messages += messages;
    return { messages, bytes };
  }

  /** Gives the budget back. */
  release(): void {
    this.#budget.bytes += this.#held;
    this.#held = 0;
  }
}
