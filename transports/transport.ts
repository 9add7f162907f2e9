/**
 * The seam between the session and whatever carries its records. A transport makes links and knows nothing of calls or
 * topics; a link carries records, one frame each, in order, until it closes. A third party's transport imports this
 * file and `protoipc/wire`, and nothing else.
 *
 * @module protoipc/transports
 */

/** Room for one record in the link's own memory. Valid until the `commit`, `flush` or `close` that follows; reused. */
export interface Slot {
  /** The memory; only `bytes[start, end)` is the slot. */
  readonly bytes: Uint8Array;
  /** The first byte that may be written. */
  readonly start: number;
  /** The byte after the last one that may be written. */
  readonly end: number;
}

/**
 * Room for one payload in a transport's own memory, where peers can read it: written once, sent over any number of links.
 * Its bytes may be written until it is first committed. Whoever has it releases it once.
 */
export interface Block {
  /** The memory; only `bytes[start, end)` is the block. To be read again after `Lent.end`: it may be another array. */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Where blocks come from. One belongs to all links of a transport. */
export interface BlockStore {
  /** A payload of fewer bytes is sent faster without a block. */
  readonly minBytes: number;
  /** A block of `maxBytes`, its content undefined; `undefined` where the store is full. */
  allocate(maxBytes: number): Block | undefined;
  /** The block cut to its first `usedBytes`, in the same place; the one before must not be used any more. */
  trim(block: Block, usedBytes: number): Block;
  /**
   * The block's memory as an array of its own, to be lent to a user. After `release`, or after `Lent.end`, the array is
   * empty and its length 0, where the platform can do that.
   */
  lend(block: Block): Lent;
  /** The block is not needed here any more. Its memory is used again when no peer holds it. */
  release(block: Block): void;
}

/** Memory that a user has for a time. */
export interface Lent {
  readonly bytes: Uint8Array;
  /** Takes the memory back: `bytes` is detached, and reads as empty. Idempotent. */
  end(): void;
}

/** A payload that came in a block. Valid during `onRecord`; after that only when it was borrowed. */
export interface ReceivedBlock {
  /** Its bytes. */
  readonly length: number;
  /** A private copy that nobody else writes or reuses. */
  copy(): Uint8Array;
  /**
   * The sender's memory itself, read-only: writing to it ends the process, and the sender can change it at any time, so
   * that no native decoder may run over it. To be ended once, after which the sender may use it again; the end of the
   * link ends it too, when `onClose` has returned: until then it can be copied. `undefined` where the platform forbids
   * such memory: then there is `copy`.
   */
  borrow(): Lent | undefined;
}

/**
 * How records stand one behind the other that are laid out once for several links. One object belongs to all links that a
 * batch of it can be committed to.
 */
export interface BatchLayout {
  /** A batch has at most so many records. */
  readonly maxRecords: number;
  /** The bytes before each record, which `writeHeader` fills. */
  readonly headerBytes: number;
  /** A record and its header begin at a multiple of so many bytes: a power of 2. */
  readonly alignBytes: number;
  /** Writes what stands before a record of `recordBytes` at `bytes[at]`. */
  writeHeader(bytes: Uint8Array, at: number, recordBytes: number): void;
}

/** Records in memory of the session's. */
export interface RecordBatch {
  readonly bytes: Uint8Array;
  /** The bytes of each record, without its header. */
  readonly lengths: Uint32Array;
  /** How many there are. */
  readonly count: number;
  /** `bytes[0, end)` is all of them, up to where the next one would begin. */
  readonly end: number;
}

/** Who is at the other end. */
export interface PeerCredentials {
  /** The process, where it is known. */
  readonly pid: number | undefined;
  /** The user, where it is known. */
  readonly uid: number | undefined;
  /** The group, where it is known. */
  readonly gid: number | undefined;
  /** Who vouches: the kernel; the directory that only our own uid can enter; the process itself (in memory); nobody. */
  readonly verifiedBy: "kernel" | "directory" | "process" | "nobody";
}

/** What a link is, for people and for the session's choices. */
export interface LinkInfo {
  /** The transport's name. */
  readonly transport: string;
  /** Where the link leads, for messages to the local user. Never sent to the peer. */
  readonly location: string;
  /** Why this transport was taken, where there was a choice. */
  readonly reason: string;
  /** Payloads of more bytes than this are sent in parts, so that they do not hold up the line. `Infinity`: never. */
  readonly fragmentBytes: number;
}

/** Why a link is gone. */
export type LinkEnd =
  /** `close` was called here. */
  | { readonly kind: "local" }
  /** The peer closed, or died: everything that it had sent was delivered before this is reported. */
  | { readonly kind: "peer" }
  /** The peer's bytes made no sense, or came too slowly; `message` names the rule, the value and the limit. */
  | { readonly kind: "protocol"; readonly message: string }
  /** The system failed. */
  | { readonly kind: "io"; readonly cause: unknown };

/** The link's user: the session. */
export interface LinkReceiver {
  /**
   * A whole record, `bytes[start, end)`, valid during the call only. It must not throw. With a block, the record is a
   * frame without payload, and the block is its payload: given back when the call returns, unless it was borrowed. What is
   * given back may wait for the next `flush`, which follows soon.
   */
  onRecord(bytes: Uint8Array, start: number, end: number, block?: ReceivedBlock): void;
  /** `reserve` was refused and may now be asked again. */
  onWritable(): void;
  /** Reported once, and the last call. Never from within a call of the link, except `receiveBlocking`. */
  onClose(end: LinkEnd): void;
}

/** One connection. */
export interface Link {
  /** What it is. */
  readonly info: LinkInfo;
  /** Who is at its other end. */
  readonly peer: PeerCredentials;
  /** Begins delivery. Called once. What was committed before it is sent as well. */
  start(receiver: LinkReceiver): void;
  /**
   * Room for a record of at most `maxBytes`, or `undefined` when the link is full: then `onWritable` follows. One slot
   * is out at a time. A slot that is not committed is given up by the next `reserve`.
   */
  reserve(maxBytes: number): Slot | undefined;
  /** Hands over the first `usedBytes` of the slot. From here on the link owns the record and keeps its place. */
  commit(slot: Slot, usedBytes: number): void;
  /** Whose blocks this link can send without copying them. Without it there is no `commitBlock`. */
  readonly blocks?: BlockStore | undefined;
  /**
   * As `commit`, for a frame whose payload is `block.bytes[start, end)`; the block may be released after it. The slot was
   * reserved for the frame alone. False where the peer holds as many blocks as it may: then nothing is committed, the slot
   * is still out, and the payload has to go another way.
   */
  commitBlock?(slot: Slot, usedBytes: number, block: Block, start: number, end: number): boolean;
  /** How batches of records are laid out for this link. Without it there are no `batchRoom` and `commitBatch`. */
  readonly batches?: BatchLayout | undefined;
  /**
   * How many bytes of a batch, headers counted, the link has room for: at least one record of `maxBytes`. 0 where it has none
   * for that: then `onWritable` follows. Holds until the link is asked for anything else.
   */
  batchRoom?(maxBytes: number): number;
  /** Hands over copies of all records of a batch, as `commit` does, where `batchRoom` told that there is room. */
  commitBatch?(batch: RecordBatch): void;
  /**
   * Delivers what has come (records, room that was asked for, the end), waiting for it for at most `timeoutMs` (from 0),
   * on this thread: nothing else runs meanwhile. Returns whether there was anything. Only where a link can do that; not
   * from within `onRecord` of the same link, nor after `onClose`.
   */
  receiveBlocking?(timeoutMs: number): boolean;
  /** Sends what was committed. The session calls it at the end of each turn that committed something. */
  flush(): void;
  /** Sends what was committed as far as that needs no waiting for longer than a second, then ends. Idempotent. */
  close(): void;
}

/** Limits that a transport enforces, because only it sees the bytes. */
export interface LinkLimits {
  /** The largest record accepted, in bytes. */
  readonly maxRecordBytes: number;
  /** How long a record may take from its first byte to its last, and the preamble from the connection, in milliseconds. */
  readonly frameTimeoutMs: number;
  /** How many bytes may wait for the peer before `reserve` refuses. */
  readonly sendBufferBytes: number;
}

/** Where an endpoint is reached. */
export type Place =
  /** By name: `directory` is the endpoint's own, claimed by the listener; a dialler may find it absent. */
  | { readonly kind: "name"; readonly name: string; readonly directory: string }
  /** By the transport's own path. */
  | { readonly kind: "path"; readonly path: string };

/** A place that is listened on. */
export interface Listener {
  /** Where, for people. */
  readonly location: string;
  /** Stops accepting and removes what `listen` made, if it is still ours. Links live on. Idempotent. */
  close(): Promise<void>;
}

/** Makes links. */
export interface Transport {
  /** The scheme of its addresses, and the name of its file in an endpoint's directory. */
  readonly name: string;
  /** The store that its links send from without copying, where they can do that. */
  readonly blocks?: BlockStore | undefined;
  /** Listens, and hands each connection to `onLink` as a link that is not started. Rejects with a `TransportError`. */
  listen(place: Place, limits: LinkLimits, onLink: (link: Link) => void): Promise<Listener>;
  /** Resolves when connected. Rejects with a `TransportError`. */
  dial(place: Place, limits: LinkLimits, signal: AbortSignal | undefined): Promise<Link>;
}

/** Why a transport could not listen or dial. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  /**
   * `notFound`: nobody listens there; `inUse`: somebody else does; `busy`: try again soon; `denied`: the place is not
   * safe or not ours; `invalid`: the place cannot be such (a path that is too long); `unavailable`: anything else.
   */
  readonly kind: "notFound" | "inUse" | "busy" | "denied" | "invalid" | "unavailable";

  constructor(kind: TransportError["kind"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
