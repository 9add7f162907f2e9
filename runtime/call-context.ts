import type { AnyMethod, AnyTopic } from "./definition.js";
import type { Metadata } from "./metadata.js";
import type { Peer } from "./peer.js";

/** What a handler knows of the call that it handles. */
export interface CallContext {
  /** What is called. */
  readonly method: AnyMethod | AnyTopic;
  /** Aborts when the caller cancels, the deadline passes or the link is lost. `signal.reason` is an `IpcError`. */
  readonly signal: AbortSignal;
  /** When the call expires, in milliseconds of `performance.now()`; `undefined` where the caller set no deadline. */
  readonly deadline: number | undefined;
  /** The milliseconds left until the deadline, never below 0; `undefined` where there is none. */
  timeoutMs(): number | undefined;
  /** Request metadata. */
  readonly metadata: Metadata;
  /** Response metadata: set it before the first response; sent with it, or by `sendHeader`. */
  readonly header: Metadata;
  /** Sends the response metadata now. Does nothing when it is already sent. */
  sendHeader(): void;
  /** Trailing metadata, sent when the call ends, whether well or not. */
  readonly trailer: Metadata;
  /** Who calls. Pass it to `endpoint.client` to call back over the same link. */
  readonly peer: Peer;
}
