import type { NameClaim, Offer } from "./names.js";

/** Keeps what an endpoint's entry says up to date: one write at a time, and the last word is always written. */
export class Announcer {
  readonly #claim: NameClaim;
  readonly #offer: () => Offer;
  readonly #onWritten: () => void;
  readonly #onFailed: (error: unknown) => void;
  #isDue = false;
  #writing: Promise<void> | undefined;

  constructor(
    claim: NameClaim,
    offer: () => Offer,
    onWritten: () => void,
    onFailed: (error: unknown) => void,
  ) {
    this.#claim = claim;
    this.#offer = offer;
    this.#onWritten = onWritten;
    this.#onFailed = onFailed;
  }

  /** The offer has changed. Resolves when what it is now is written, or could not be, which `onFailed` is told. */
  announce(): Promise<void> {
    this.#isDue = true;
    this.#writing ??= this.#write();
    return this.#writing;
  }

  async #write(): Promise<void> {
    try {
      // What is served in one turn is written once.
      await undefined;
      while (this.#isDue) {
        this.#isDue = false;
        await this.#claim.announce(this.#offer());
      }
      this.#onWritten();
    } catch (error) {
      this.#onFailed(error);
    } finally {
      this.#writing = undefined;
    }
  }
}
