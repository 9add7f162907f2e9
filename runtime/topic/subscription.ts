import type { ReceivedBlock } from "../../transports/transport.js";
import type { Publication, ReceiveOptions, Subscription } from "../api.js";
import { checkCanBlock } from "../client-blocking.js";
import { abortError } from "../client-call.js";
import { type BorrowedMessage, borrowMessage } from "../codec/borrow.js";
import type { Connection } from "../connection.js";
import { settleable } from "../connection.js";
import type { AnyTopic } from "../definition.js";
import { IpcError } from "../error.js";
import { MessageQueue } from "../message-queue.js";
import { fromWire } from "../metadata-wire.js";
import { receiveOnce } from "../session/blocking.js";
import type { Stream } from "../session/stream.js";
import type { StreamReceiver } from "../session/stream-receiver.js";
import { undecodable } from "../undecodable.js";
import type { WireMetadata } from "../wire/metadata.js";
import { BorrowingIterator, PublicationWithLoan } from "./borrowed.js";

interface KnownKey {
  readonly key: unknown;
  /** Losses that were reported apart from a message, for the next message to tell. */
  lost: number;
}

/** One subscription at one publisher. */
export class TopicSubscription implements StreamReceiver, Subscription<unknown, unknown> {
  readonly #topic: AnyTopic;
  readonly #keys = new Map<number, KnownKey>();
  readonly #queue: MessageQueue<Publication<unknown, unknown>>;
  readonly #ready = settleable<void>();
  readonly #ended = settleable<void>();
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;
  readonly #onDone: () => void;
  #stream: Stream | undefined;
  #connection: Connection | undefined;
  #maxNesting: number | undefined;
  #isEnded = false;
  #received = 0;
  #lost = 0;
  /** What is borrowed for publications, read or not. */
  readonly #borrowed = new Set<PublicationWithLoan>();
  readonly #borrowing: BorrowingIterator | undefined;
  /** There where large fields are borrowed. */
  readonly onBlock: StreamReceiver["onBlock"];

  /** `borrow`: large fields stay in the publisher's memory. `onDone` is called once, when the subscription is over. */
  constructor(topic: AnyTopic, signal: AbortSignal | undefined, borrow: boolean, onDone: () => void) {
    this.#topic = topic;
    this.#signal = signal;
    this.#onDone = onDone;
    if (topic.kind === "unkeyedTopic") this.#keys.set(0, { key: undefined, lost: 0 });
    this.#queue = new MessageQueue({
      onTaken: (bytes) => this.#stream?.consumed(bytes),
      onAbandoned: () => {
        for (const publication of this.#borrowed) publication.release();
        this.#cancel(new IpcError("CANCELLED", "the subscriber stopped reading"));
      },
    });
    if (borrow) {
      this.#borrowing = new BorrowingIterator(this.#queue);
      this.onBlock = (block, keyId, seq, lost) => this.#onBlock(block, keyId, seq, lost);
    }
    // Whoever iterates gets the error too; that nobody awaits `ready` is no fault.
    this.#ready.promise.catch(() => undefined);
    this.#onAbort = () => {
      if (signal !== undefined) this.#cancel(abortError(signal));
    };
    signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  get received(): number {
    return this.#received;
  }

  get lost(): number {
    return this.#lost;
  }

  ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Subscribes; does nothing when the subscription is over already. */
  start(connection: Connection, filter: unknown): void {
    if (this.#isEnded) return;
    this.#connection = connection;
    this.#maxNesting = connection.owner.limits.maxNesting;
    const { session } = connection;
    const { request, fullName } = this.#topic;
    const open = {
      method: fullName,
      deadlineMs: Number.POSITIVE_INFINITY,
      metadata: [],
      isLast: true,
      manyResponses: true,
    };
    try {
      const payload = session.isOpen ? session.message.set(request, filter) : undefined;
      this.#stream = session.opener.openCall(open, payload, this);
    } catch (cause) {
      const text = `a filter of ${fullName} could not be encoded as ${request.typeName}`;
      this.fail(cause instanceof IpcError ? cause : new IpcError("INVALID_ARGUMENT", text, { cause }));
    }
  }

  /** It cannot begin. */
  fail(error: IpcError): void {
    this.#end(error);
  }

  async close(): Promise<void> {
    // Whoever closes it knows that it is over: its reader sees the end, not an error.
    await this.#queue.return();
    for (const publication of this.#borrowed) publication.release();
    this.#cancel(new IpcError("CANCELLED", "the subscription is closed"));
    await this.#ended.promise;
  }

  receive(options: ReceiveOptions = {}): Publication<unknown, unknown> | undefined {
    const { timeoutMs = Number.POSITIVE_INFINITY } = options;
    if (!(timeoutMs >= 0)) throw new TypeError(`timeoutMs is ${timeoutMs}; it must be a number from 0`);
    const { fullName } = this.#topic;
    const connection = this.#connection;
    const queue = this.#borrowing ?? this.#queue;
    if (connection === undefined) {
      if (this.#isEnded) return queue.poll()?.value;
      const text = `${fullName}: there is no link to the publisher yet; await subscription.ready() first`;
      throw new IpcError("FAILED_PRECONDITION", text);
    }
    if (this.#queue.isAwaited) {
      throw new IpcError("FAILED_PRECONDITION", `${fullName}: a loop waits for the next publication already`);
    }
    checkCanBlock(connection, fullName);
    const { session } = connection;
    const { host } = connection.owner;
    const endMs = host.now() + timeoutMs;
    for (let result = queue.poll(); ; result = queue.poll()) {
      if (result !== undefined) return result.value;
      const leftMs = endMs - host.now();
      if (!receiveOnce(session, Math.max(0, leftMs)) || leftMs <= 0) return queue.poll()?.value;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<Publication<unknown, unknown>> {
    return this.#borrowing ?? this.#queue;
  }

  onHeaders(_metadata: readonly WireMetadata[]): void {
    this.#ready.resolve();
  }

  onKey(keyId: number, bytes: Uint8Array, start: number, end: number): void {
    try {
      const key = this.#topic.request.decode(bytes, start, end, false, this.#maxNesting);
      this.#keys.set(keyId, { key, lost: 0 });
    } catch (cause) {
      const { fullName, request } = this.#topic;
      this.#cancel(undecodable(`${fullName}: a key`, request.typeName, "INTERNAL", cause));
    }
  }

  onMessage(
    bytes: Uint8Array,
    start: number,
    end: number,
    mayAlias: boolean,
    keyId: number,
    seq: number,
    lost: number,
  ): void {
    const known = this.#known(keyId);
    if (known === undefined) return;
    let message: unknown;
    try {
      message = this.#topic.response.decode(bytes, start, end, mayAlias, this.#maxNesting);
    } catch (cause) {
      this.#refuse(cause);
      return;
    }
    const publication = this.#take(known, message, seq, lost);
    if (this.#borrowing === undefined) this.#queue.push(publication, end - start);
    else this.#push(publication, { message, lent: undefined, names: [] }, end - start);
  }

  #onBlock(block: ReceivedBlock, keyId: number, seq: number, lost: number): void {
    const known = this.#known(keyId);
    if (known === undefined) return;
    let borrowed: BorrowedMessage;
    try {
      borrowed = borrowMessage(this.#topic.response, block, this.#maxNesting);
    } catch (cause) {
      this.#refuse(cause);
      return;
    }
    this.#push(this.#take(known, borrowed.message, seq, lost), borrowed, block.length);
  }

  #known(keyId: number): KnownKey | undefined {
    const known = this.#keys.get(keyId);
    if (known !== undefined) return known;
    const text = `${this.#topic.fullName}: key id ${keyId} was not announced`;
    this.#cancel(new IpcError("INTERNAL", text));
    return undefined;
  }

  #refuse(cause: unknown): void {
    const { fullName, response } = this.#topic;
    this.#cancel(undecodable(`${fullName}: a publication`, response.typeName, "INTERNAL", cause));
  }

  #take(known: KnownKey, message: unknown, seq: number, lost: number): Publication<unknown, unknown> {
    this.#received++;
    this.#lost += lost;
    const publication = {
      key: known.key,
      message,
      seq,
      lost: lost + known.lost,
      publisher: this.#connection!.peer!,
    };
    known.lost = 0;
    return publication;
  }

  #push(publication: Publication<unknown, unknown>, borrowed: BorrowedMessage, bytes: number): void {
    const whole = new PublicationWithLoan(publication, borrowed, (over) => {
      this.#borrowed.delete(over);
      // The publisher learns of it when the link is flushed.
      this.#connection?.onDirty();
    });
    if (whole.isBorrowed) this.#borrowed.add(whole);
    this.#queue.push(whole, bytes);
  }

  onLost(keyId: number, _seq: number, lost: number): void {
    this.#lost += lost;
    const known = this.#keys.get(keyId);
    // A peer that tells of a key before it announces it is wrong about the key, not about the sum.
    if (known !== undefined) known.lost += lost;
  }

  onEnd(error: IpcError | undefined, trailer: readonly WireMetadata[]): void {
    if (error !== undefined && trailer.length > 0) {
      const { code, rawMessage, details, maybeExecuted } = error;
      this.#end(new IpcError(code, rawMessage, { details, maybeExecuted, metadata: fromWire(trailer) }));
    } else {
      this.#end(error);
    }
  }

  onLast(): void {}
  onCancel(): void {}
  onSendable(): void {}

  #cancel(reason: IpcError): void {
    if (this.#stream !== undefined) this.#stream.cancel(reason);
    this.#end(reason);
  }

  #end(error: IpcError | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    // What was not read yet outlives the link.
    for (const publication of this.#borrowed) {
      if (this.#borrowing?.isRead(publication) !== true) publication.copyOut();
    }
    const { fullName } = this.#topic;
    this.#ready.reject(
      error ?? new IpcError("UNAVAILABLE", `the publisher of ${fullName} ended before it confirmed`),
    );
    this.#queue.end(error);
    this.#ended.resolve();
    this.#onDone();
  }
}
