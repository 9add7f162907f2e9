/**
 * Every limit of an endpoint. Each is part of the protocol or named in the error that it causes. All are whole numbers
 * from 1 to 2,147,483,647 unless another range is given; `open` throws a `TypeError` for others.
 */
export interface Limits {
  /** The largest message that is accepted, encoded, in bytes. From 1,024 (1 KiB) to 1,073,741,824 (1 GiB). */
  readonly maxMessageBytes: number;
  /**
   * How deep the messages that are accepted may be nested, the outermost one counted; groups count too, and entries of
   * maps where the message library counts them (ts-proto does). From 1 to 1,000: decoders recurse, and the stack of a
   * thread ends not far above.
   */
  readonly maxNesting: number;
  /** The largest frame without its payload that is accepted, in bytes. From 1,024. */
  readonly maxHeaderBytes: number;
  /** The largest metadata of one frame that is accepted: the bytes of keys and values, and 32 for each pair. */
  readonly maxMetadataBytes: number;
  /**
   * How many calls a peer may have in flight on one link, subscriptions among them; further ones wait at the caller. A
   * cancelled call counts until its handler returns.
   */
  readonly maxCalls: number;
  /** How many bytes of first request messages a peer may have in flight on one link. */
  readonly callBytes: number;
  /** The messages a stream may send before the first grant. */
  readonly initialMessages: number;
  /** The bytes a stream may send before the first grant. */
  readonly initialBytes: number;
  /** How many messages a stream may be granted at a time. */
  readonly windowMessages: number;
  /**
   * How many bytes a stream may be granted at a time, while the budget lasts. Where payloads come in blocks, as over shared
   * memory, a stream that is read may be granted four times as many, while half of the budget lasts. A publisher that can wait
   * does so while four times as many are queued for a subscriber.
   */
  readonly windowBytes: number;
  /** How many bytes the streams of one link may be granted in all, above their initial ones. */
  readonly streamBudgetBytes: number;
  /** The one-way calls of one link that may wait for their handlers. */
  readonly oneWayMessages: number;
  /** The bytes of one-way calls of one link that may wait for their handlers. */
  readonly oneWayBytes: number;
  /** How many keys one publisher may use, and one subscription may see. At most 16,777,216. */
  readonly maxKeys: number;
  /** How many methods a peer may announce on one link. */
  readonly maxMethods: number;
  /** How long a peer may take to introduce itself, in milliseconds. */
  readonly handshakeTimeoutMs: number;
  /** How long a frame may take from its first byte to its last, in milliseconds. */
  readonly frameTimeoutMs: number;
  /** How many bytes may wait in a link for a peer that does not read, before senders wait. */
  readonly sendBufferBytes: number;
  /** How many bytes of responses may wait for one peer before its further calls wait to be started. */
  readonly maxPendingResponseBytes: number;
  /** How many links may be accepted and not yet introduced, over the endpoint. */
  readonly maxHandshakes: number;
  /** How many accepted links may be open at a time, over the endpoint. */
  readonly maxLinks: number;
}

/** The limits of an endpoint that sets none. */
export const DEFAULT_LIMITS: Limits = {
  maxMessageBytes: 4_194_304,
  maxNesting: 100,
  maxHeaderBytes: 65_536,
  maxMetadataBytes: 8_192,
  maxCalls: 1_024,
  callBytes: 4_194_304,
  initialMessages: 16,
  initialBytes: 16_384,
  windowMessages: 4_096,
  windowBytes: 1_048_576,
  streamBudgetBytes: 16_777_216,
  oneWayMessages: 1_024,
  oneWayBytes: 1_048_576,
  maxKeys: 65_536,
  maxMethods: 4_096,
  handshakeTimeoutMs: 10_000,
  frameTimeoutMs: 30_000,
  sendBufferBytes: 262_144,
  maxPendingResponseBytes: 65_536,
  maxHandshakes: 64,
  maxLinks: 4_096,
};
