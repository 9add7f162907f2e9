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
  /** A whole record, `bytes[start, end)`, valid during the call only. It must not throw. */
  onRecord(bytes: Uint8Array, start: number, end: number): void;
  /** `reserve` was refused and may now be asked again. */
  onWritable(): void;
  /** Reported once, and the last call. Never from within a call of the link. */
  onClose(end: LinkEnd): void;
}

/** One connection. */
export interface Link {
  /** What it is. */
  readonly info: LinkInfo;
  /** Who is at its other end. */
  readonly peer: PeerCredentials;
  /** Begins delivery. Called once. */
  start(receiver: LinkReceiver): void;
  /**
   * Room for a record of at most `maxBytes`, or `undefined` when the link is full: then `onWritable` follows. One slot
   * is out at a time. A slot that is not committed is given up by the next `reserve`.
   */
  reserve(maxBytes: number): Slot | undefined;
  /** Hands over the first `usedBytes` of the slot. From here on the link owns the record and keeps its place. */
  commit(slot: Slot, usedBytes: number): void;
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
