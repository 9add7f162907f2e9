import type { Lent, ReceivedBlock } from "../../transports/transport.js";
import type { Publication } from "../api.js";
import { type BorrowedMessage, borrowMessage } from "../codec/borrow.js";
import { borrowView, privateView } from "../codec/inplace/receive-view.js";
import type { MessageView, ViewType } from "../codec/inplace/view.js";
import type { Connection } from "../connection.js";
import type { AnyTopic } from "../definition.js";
import { IpcError } from "../error.js";
import { fromWire } from "../metadata-wire.js";
import type { Peer } from "../peer.js";
import type { Stream } from "../session/stream.js";
import type { StreamReceiver } from "../session/stream-receiver.js";
import { undecodable } from "../undecodable.js";
import type { WireMetadata } from "../wire/metadata.js";
import { PublicationWithLoan } from "./borrowed.js";
import { type KeyIdentity, keyIdentity } from "./topic-key.js";

/** Where a subscription stood with one publisher when its link was lost: the last number of each key. */
export type Progress = ReadonlyMap<KeyIdentity, number>;

/** What a source tells its subscription. Nothing may throw. */
export interface SourceOwner {
  readonly topic: AnyTopic;
  /** Large fields stay in the publisher's memory. */
  readonly borrows: boolean;
  /** Messages are not decoded, but read in place. */
  readonly view: ViewType<MessageView> | undefined;
  /** Whether a message is wanted. May throw. */
  readonly wants: ((message: unknown) => boolean) | undefined;
  /** Keys are to be told apart: for the latest values, or for going on over another link. */
  readonly identifiesKeys: boolean;
  /** The publisher has confirmed. */
  onConfirmed(source: TopicSource): void;
  /**
   * A publication, which takes credit until `source.onTaken` is called with its bytes. `isNew` is false for one that came
   * over an earlier link already, and takes none. `publishedAtMs` is the host's time, of receipt where it is not known.
   */
  onPublication(
    source: TopicSource,
    publication: Publication<unknown, unknown>,
    bytes: number,
    identity: KeyIdentity | undefined,
    publishedAtMs: number,
    isNew: boolean,
  ): void;
  onLost(count: number): void;
  /** The filter cannot be sent to anybody. `onEnd` does not follow. */
  onUnusable(error: IpcError): void;
  /** The last call, and exactly one. */
  onEnd(source: TopicSource, error: IpcError | undefined): void;
  /** Whether the reader has the publication now. */
  isRead(publication: PublicationWithLoan): boolean;
}

interface KnownKey {
  readonly key: unknown;
  readonly identity: KeyIdentity | undefined;
  /** Losses that were reported apart from a message, for the next message to tell. */
  lost: number;
  /** The last number that was received or told to be lost. 0: none. */
  seq: number;
  /** The last number that came over an earlier link; what comes up to it is known, what is missing after it was lost. */
  resumesAfter: number | undefined;
}

const NO_NAMES: readonly string[] = [];

/** The stream of a subscription to one publisher, for as long as its link lives. */
export class TopicSource implements StreamReceiver {
  readonly owner: SourceOwner;
  readonly peer: Peer;
  readonly connection: Connection;
  readonly #before: Progress | undefined;
  readonly #keys = new Map<number, KnownKey>();
  readonly #fields: readonly string[];
  readonly #maxNesting: number;
  #stream: Stream | undefined;
  #isEnded = false;
  isConfirmed = false;
  /** What is borrowed for publications, read or not. */
  readonly #borrowed = new Set<PublicationWithLoan>();
  /** There where large fields are borrowed. */
  readonly onBlock: StreamReceiver["onBlock"];

  /** `before`: where the subscription stood with the same run of the publisher. */
  constructor(owner: SourceOwner, connection: Connection, before: Progress | undefined) {
    const { topic } = owner;
    this.owner = owner;
    this.connection = connection;
    this.peer = connection.peer!;
    this.#before = before;
    this.#fields = topic.kind === "topic" ? topic.keyFields : [];
    this.#maxNesting = connection.owner.limits.maxNesting;
    if (topic.kind === "unkeyedTopic") this.#keys.set(0, this.#known(undefined, 0));
    if (owner.borrows) {
      this.onBlock = (block, keyId, seq, lost, timeUs) => this.#onBlock(block, keyId, seq, lost, timeUs);
    }
  }

  /** Subscribes. `onEnd` of the owner may be called before this returns. */
  start(filter: unknown): void {
    const { session } = this.connection;
    const { request, fullName } = this.owner.topic;
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
      this.#isEnded = true;
      this.owner.onUnusable(
        cause instanceof IpcError ? cause : new IpcError("INVALID_ARGUMENT", text, { cause }),
      );
    }
  }

  /** Ends the subscription at this publisher. */
  cancel(reason: IpcError): void {
    this.#stream?.cancel(reason);
    this.#end(reason);
  }

  /** Where the subscription stands. */
  get progress(): Progress {
    const progress = new Map<KeyIdentity, number>(this.#before);
    for (const { identity, seq } of this.#keys.values()) {
      if (identity !== undefined && seq > 0) progress.set(identity, seq);
    }
    return progress;
  }

  /** The reader has taken a publication of so many bytes. */
  onTaken(bytes: number): void {
    this.#stream?.consumed(bytes);
  }

  /** Whether a publication still has memory of the publisher. */
  get hasBorrowed(): boolean {
    return this.#borrowed.size > 0;
  }

  /** Nobody reads any more. */
  releaseBorrowed(): void {
    for (const publication of this.#borrowed) publication.release();
  }

  onHeaders(_metadata: readonly WireMetadata[]): void {
    this.isConfirmed = true;
    this.owner.onConfirmed(this);
  }

  onKey(keyId: number, bytes: Uint8Array, start: number, end: number): void {
    const { request, fullName } = this.owner.topic;
    try {
      const key = request.decode(bytes, start, end, false, this.#maxNesting);
      const identity = this.owner.identifiesKeys ? keyIdentity(fullName, this.#fields, key) : undefined;
      this.#keys.set(keyId, this.#known(key, identity));
    } catch (cause) {
      this.cancel(undecodable(`${fullName}: a key`, request.typeName, "INTERNAL", cause));
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
    timeUs: number,
  ): void {
    const known = this.#find(keyId);
    if (known === undefined) return;
    let message: unknown;
    try {
      const { view, topic } = this.owner;
      message =
        view === undefined
          ? topic.response.decode(bytes, start, end, mayAlias, this.#maxNesting)
          : privateView(view, bytes, start, end, mayAlias, this.#maxNesting);
    } catch (cause) {
      this.#refuse(cause);
      return;
    }
    this.#take(known, message, undefined, end - start, seq, lost, timeUs);
  }

  onLost(keyId: number, seq: number, lost: number): void {
    const known = this.#keys.get(keyId);
    // A peer that tells of a key before it announces it is wrong about the key, not about the sum.
    if (known === undefined) {
      this.owner.onLost(lost);
      return;
    }
    const missed = missedUpTo(known, seq, lost);
    known.seq = Math.max(known.seq, seq);
    known.lost += missed;
    if (missed > 0) this.owner.onLost(missed);
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

  #onBlock(block: ReceivedBlock, keyId: number, seq: number, lost: number, timeUs: number): void {
    const known = this.#find(keyId);
    if (known === undefined) return;
    let borrowed: BorrowedMessage;
    try {
      const { view, topic } = this.owner;
      borrowed =
        view === undefined
          ? borrowMessage(topic.response, block, this.#maxNesting)
          : borrowView(view, block, this.#maxNesting);
    } catch (cause) {
      this.#refuse(cause);
      return;
    }
    this.#take(known, borrowed.message, borrowed, block.length, seq, lost, timeUs);
  }

  #known(key: unknown, identity: KeyIdentity | undefined): KnownKey {
    const resumesAfter = identity === undefined ? undefined : this.#before?.get(identity);
    return { key, identity, lost: 0, seq: 0, resumesAfter };
  }

  #find(keyId: number): KnownKey | undefined {
    const known = this.#keys.get(keyId);
    if (known !== undefined) return known;
    const text = `${this.owner.topic.fullName}: key id ${keyId} was not announced`;
    this.cancel(new IpcError("INTERNAL", text));
    return undefined;
  }

  #refuse(cause: unknown): void {
    const { fullName, response } = this.owner.topic;
    this.cancel(undecodable(`${fullName}: a publication`, response.typeName, "INTERNAL", cause));
  }

  #take(
    known: KnownKey,
    message: unknown,
    borrowed: BorrowedMessage | undefined,
    bytes: number,
    seq: number,
    lost: number,
    timeUs: number,
  ): void {
    const isNew = known.resumesAfter === undefined || seq > known.resumesAfter;
    const isWanted = this.#isWanted(message, borrowed?.lent);
    if (isWanted === undefined) return;
    if (this.#isEnded) {
      // By the filter: nobody would give back what is queued now.
      this.#giveBack(borrowed?.lent);
      return;
    }
    const missed = isNew ? missedUpTo(known, seq - 1, lost) : 0;
    known.seq = Math.max(known.seq, seq);
    if (missed > 0) this.owner.onLost(missed);
    if (!isWanted) {
      // Whoever reads the next one is told of what was lost before this one.
      known.lost += missed;
      this.#giveBack(borrowed?.lent);
      this.onTaken(bytes);
      return;
    }
    const about = {
      key: known.key,
      message,
      seq,
      lost: missed + known.lost,
      publisher: this.peer,
    };
    if (isNew) known.lost = 0;
    const publication = this.owner.borrows ? this.#withLoan(about, borrowed ?? privately(message)) : about;
    this.owner.onPublication(this, publication, bytes, known.identity, this.#publishedAtMs(timeUs), isNew);
    if (isNew) return;
    if (publication instanceof PublicationWithLoan) publication.release();
    this.onTaken(bytes);
  }

  /** `undefined`: that cannot be said, and the subscription is over. */
  #isWanted(message: unknown, lent: Lent | undefined): boolean | undefined {
    try {
      return this.owner.wants?.(message) !== false;
    } catch (cause) {
      this.#giveBack(lent);
      this.#refuse(cause);
      return undefined;
    }
  }

  #giveBack(lent: Lent | undefined): void {
    if (lent === undefined) return;
    lent.end();
    this.connection.onDirty();
  }

  #withLoan(about: Publication<unknown, unknown>, borrowed: BorrowedMessage): PublicationWithLoan {
    const whole = new PublicationWithLoan(about, borrowed, (over) => {
      this.#borrowed.delete(over);
      // The publisher learns of it when the link is flushed.
      this.connection.onDirty();
    });
    if (whole.isBorrowed) this.#borrowed.add(whole);
    return whole;
  }

  /** In the host's time. */
  #publishedAtMs(timeUs: number): number {
    const offsetMs = this.connection.session.sharedClockOffsetMs;
    if (timeUs > 0 && offsetMs !== undefined) return timeUs / 1_000 - offsetMs;
    return this.owner.identifiesKeys ? this.connection.owner.host.now() : 0;
  }

  /** What was not read yet outlives the link. */
  onMemoryGoing(): void {
    for (const publication of this.#borrowed) {
      if (!this.owner.isRead(publication)) publication.copyOut();
    }
  }

  #end(error: IpcError | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.onMemoryGoing();
    this.owner.onEnd(this, error);
  }
}

function privately(message: unknown): BorrowedMessage {
  return { message, lent: undefined, names: NO_NAMES };
}

/**
 * How many publications of a key were lost up to a number, that one counted, which was not told before. `lost`: what the
 * publisher tells, which knows of this link alone.
 */
function missedUpTo(known: KnownKey, seq: number, lost: number): number {
  const { resumesAfter } = known;
  if (resumesAfter === undefined) return lost;
  if (seq < resumesAfter) return 0;
  known.resumesAfter = undefined;
  return seq - resumesAfter;
}
