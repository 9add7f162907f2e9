import type { Publication, Subscription } from "../api.js";
import { abortError } from "../client-call.js";
import type { Connection } from "../connection.js";
import { settleable } from "../connection.js";
import type { AnyTopic } from "../definition.js";
import { IpcError } from "../error.js";
import { MessageQueue } from "../message-queue.js";
import { fromWire } from "../metadata-wire.js";
import type { Stream } from "../session/stream.js";
import type { StreamReceiver } from "../session/stream-receiver.js";
import type { WireMetadata } from "../wire/metadata.js";

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
  #isEnded = false;
  #received = 0;
  #lost = 0;

  /** `onDone` is called once, when the subscription is over. */
  constructor(topic: AnyTopic, signal: AbortSignal | undefined, onDone: () => void) {
    this.#topic = topic;
    this.#signal = signal;
    this.#onDone = onDone;
    if (topic.kind === "unkeyedTopic") this.#keys.set(0, { key: undefined, lost: 0 });
    this.#queue = new MessageQueue({
      onTaken: (bytes) => this.#stream?.consumed(bytes),
      onAbandoned: () => this.#cancel(new IpcError("CANCELLED", "the subscriber stopped reading")),
    });
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
    this.#cancel(new IpcError("CANCELLED", "the subscription is closed"));
    await this.#ended.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<Publication<unknown, unknown>> {
    return this.#queue;
  }

  onHeaders(_metadata: readonly WireMetadata[]): void {
    this.#ready.resolve();
  }

  onKey(keyId: number, bytes: Uint8Array, start: number, end: number): void {
    try {
      this.#keys.set(keyId, { key: this.#topic.request.decode(bytes, start, end, false), lost: 0 });
    } catch (cause) {
      this.#cancelWith(`a key is no valid ${this.#topic.request.typeName}`, cause);
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
    const known = this.#keys.get(keyId);
    if (known === undefined) {
      this.#cancelWith(`key id ${keyId} was not announced`, undefined);
      return;
    }
    let message: unknown;
    try {
      message = this.#topic.response.decode(bytes, start, end, mayAlias);
    } catch (cause) {
      this.#cancelWith(`a publication is no valid ${this.#topic.response.typeName}`, cause);
      return;
    }
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
    this.#queue.push(publication, end - start);
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

  #cancelWith(text: string, cause: unknown): void {
    this.#cancel(new IpcError("INTERNAL", `${this.#topic.fullName}: ${text}`, { cause }));
  }

  #cancel(reason: IpcError): void {
    if (this.#stream !== undefined) this.#stream.cancel(reason);
    this.#end(reason);
  }

  #end(error: IpcError | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    const { fullName } = this.#topic;
    this.#ready.reject(
      error ?? new IpcError("UNAVAILABLE", `the publisher of ${fullName} ended before it confirmed`),
    );
    this.#queue.end(error);
    this.#ended.resolve();
    this.#onDone();
  }
}
