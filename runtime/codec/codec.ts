/** How messages of one type become protobuf bytes and back. `Init` is what users pass, `Shape` what they receive. */
export interface Codec<Init, Shape> {
  /** The message's full protobuf name. */
  readonly typeName: string;
  /**
   * An upper bound of the bytes that `encodeInto` writes for this message, without changing it. Asked for right before
   * `encodeInto` with the same message, so that a codec may keep what it has worked out.
   */
  maxSize(message: Init): number;
  /** The message in memory of its own, for codecs that encode into such anyway: large messages are sent from there. */
  encode?(message: Init): Uint8Array;
  /** Writes the message from `offset` on and returns the offset after its last byte. */
  encodeInto(message: Init, bytes: Uint8Array, offset: number): number;
  /**
   * Reads the message in `bytes[start, end)`. With `mayAlias` false the result shares no memory with `bytes`; with true
   * the caller leaves `bytes` unchanged for good. Messages may be nested up to `maxNesting` deep, this one counted; 100
   * unless given. Throws an `IpcError` RESOURCE_EXHAUSTED that names the limit for messages that are nested deeper (a
   * codec whose decoder cannot count leaves that out), and any error for bytes that are not such a message.
   */
  decode(bytes: Uint8Array, start: number, end: number, mayAlias: boolean, maxNesting?: number): Shape;
  /**
   * The message's own fields of bytes, by their numbers: those that are singular, not required and of no oneof. They can
   * be lent to a publisher and borrowed by a subscriber. Without it there are none.
   */
  bytesFields?(): ReadonlyMap<number, BytesField>;
}

/** A field of bytes that a message has once at most. */
export interface BytesField {
  /** The property of the message that holds it. */
  readonly name: string;
  /** What a message to be encoded has there so that the field is left out; `undefined`: nothing. */
  readonly unset: unknown;
}

/** The two sides of a codec's types. */
export type InitOf<C> = C extends Codec<infer Init, infer _Shape> ? Init : never;
export type ShapeOf<C> = C extends Codec<infer _Init, infer Shape> ? Shape : never;
