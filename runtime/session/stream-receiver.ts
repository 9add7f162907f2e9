import type { ReceivedBlock } from "../../transports/transport.js";
import type { IpcError } from "../error.js";
import type { WireMetadata } from "../wire/metadata.js";

/**
 * The user of a stream: what the session tells it. Bytes are valid during the call only, unless `mayAlias` says that
 * they are the receiver's to keep. No method may throw.
 */
export interface StreamReceiver {
  /** Caller: the response metadata. */
  onHeaders(metadata: readonly WireMetadata[]): void;
  /** A message, whole. The numbers are those of a topic's publication, else 0; `timeUs` is on the peer's clock. */
  onMessage(
    bytes: Uint8Array,
    start: number,
    end: number,
    mayAlias: boolean,
    keyId: number,
    seq: number,
    lost: number,
    timeUs: number,
  ): void;
  /** As `onMessage`, for one that came in a block. Without it, `onMessage` is told of a copy. */
  readonly onBlock?:
    | ((block: ReceivedBlock, keyId: number, seq: number, lost: number, timeUs: number) => void)
    | undefined;
  /**
   * Caller: the link is gone, its end is told later, and what is borrowed of the peer cannot be read after this returns: what
   * nobody reads yet is to be copied. Runs no code of a user's.
   */
  onMemoryGoing?(): void;
  /** Caller of a topic: `keyId` stands for this key from now on. */
  onKey(keyId: number, bytes: Uint8Array, start: number, end: number): void;
  /** Caller of a topic: `lost` publications of the key up to `seq` do not come. */
  onLost(keyId: number, seq: number, lost: number): void;
  /** Callee: the caller sends no further message. */
  onLast(): void;
  /** Callee: the call is no longer wanted. It must still be finished. Called at most once. */
  onCancel(reason: IpcError): void;
  /** Caller: the call is over. The last call, and exactly one. */
  onEnd(error: IpcError | undefined, trailer: readonly WireMetadata[]): void;
  /** What could not be sent may be tried again. */
  onSendable(): void;
}
