import type { Lent } from "../../transports/transport.js";
import type { BorrowedPublication, Publication } from "../api.js";
import type { BorrowedMessage } from "../codec/borrow.js";
import { MessageView } from "../codec/inplace/view.js";
import type { MessageQueue } from "../message-queue.js";
import type { Peer } from "../peer.js";
import { useThenEnd } from "../use-then-end.js";

/** A publication whose message may have fields that are the publisher's memory. */
export class PublicationWithLoan implements BorrowedPublication<unknown, unknown> {
  readonly key: unknown;
  readonly message: unknown;
  readonly seq: number;
  readonly lost: number;
  readonly publisher: Peer;
  readonly #names: readonly string[];
  readonly #onOver: (publication: PublicationWithLoan) => void;
  #lent: Lent | undefined;

  /** `onOver` is called once when nothing of it is borrowed any more; not at all where nothing was. */
  constructor(
    about: { readonly key: unknown; readonly seq: number; readonly lost: number; readonly publisher: Peer },
    { message, lent, names }: BorrowedMessage,
    onOver: (publication: PublicationWithLoan) => void,
  ) {
    this.key = about.key;
    this.message = message;
    this.seq = about.seq;
    this.lost = about.lost;
    this.publisher = about.publisher;
    this.#lent = lent;
    this.#names = names;
    this.#onOver = onOver;
  }

  get isBorrowed(): boolean {
    return this.#lent !== undefined;
  }

  release(): void {
    const lent = this.#lent;
    if (lent === undefined) return;
    this.#lent = undefined;
    lent.end();
    this.#onOver(this);
  }

  /** Copies what is borrowed, and gives it back. */
  copyOut(): void {
    if (this.message instanceof MessageView) this.message.$bind(this.message.$bytes.slice());
    const values = this.message as Record<string, unknown>;
    for (const name of this.#names) {
      const value = values[name];
      // The user may have put something else there.
      if (value instanceof Uint8Array) values[name] = value.slice();
    }
    this.release();
  }
}

/** Publications as they are asked for. What was borrowed for one is given back when the next is asked for. */
export class BorrowingIterator implements AsyncIterableIterator<Publication<unknown, unknown>, undefined> {
  readonly #queue: MessageQueue<Publication<unknown, unknown>>;
  /** What the reader has: one, or those that it asked for together. */
  readonly #read = new Set<PublicationWithLoan>();

  constructor(queue: MessageQueue<Publication<unknown, unknown>>) {
    this.#queue = queue;
  }

  /** Whether the reader has the publication, and not yet asked for another. */
  isRead(publication: PublicationWithLoan): boolean {
    return this.#read.has(publication);
  }

  async next(): Promise<IteratorResult<Publication<unknown, unknown>, undefined>> {
    // Whoever is refused takes nothing from the reader.
    if (!this.#queue.isLooping) this.#release();
    const result = await this.#queue.next();
    if (result.value instanceof PublicationWithLoan) this.#read.add(result.value);
    return result;
  }

  /** As `MessageQueue.forEach`. What was borrowed for a publication is given back when it returns or its promise settles. */
  forEach(use: (publication: Publication<unknown, unknown>) => unknown): Promise<void> {
    if (!this.#queue.isAwaited) this.#release();
    const useAndRelease = (publication: Publication<unknown, unknown>): unknown => {
      if (publication instanceof PublicationWithLoan) this.#read.add(publication);
      return useThenEnd(
        () => use(publication),
        () => this.#release(),
      );
    };
    return this.#queue.forEach(useAndRelease);
  }

  /** As `MessageQueue.poll`. */
  poll(): IteratorResult<Publication<unknown, unknown>, undefined> | undefined {
    if (!this.#queue.isLooping) this.#release();
    const result = this.#queue.poll();
    if (result?.value instanceof PublicationWithLoan) this.#read.add(result.value);
    return result;
  }

  return(): Promise<IteratorResult<Publication<unknown, unknown>, undefined>> {
    this.#release();
    return this.#queue.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #release(): void {
    for (const publication of this.#read) publication.release();
    this.#read.clear();
  }
}
