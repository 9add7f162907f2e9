import type { CallContext } from "./call-context.js";
import type { Metadata, MetadataInit } from "./metadata.js";

/** What a call may be given beside its message. */
export interface CallOptions {
  /** Cancels the call when it aborts: the handler's signal aborts, the call rejects with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  /** After how many milliseconds the call fails with DEADLINE_EXCEEDED, above 0. Without it a call may take for ever. */
  readonly timeoutMs?: number | undefined;
  /** Request metadata. The call rejects with RESOURCE_EXHAUSTED where it is above the peer's `maxMetadataBytes`. */
  readonly metadata?: MetadataInit | undefined;
  /** Called with the response metadata, if any, before the first response message. */
  readonly onHeader?: ((header: Metadata) => void) | undefined;
  /** Called with the trailing metadata, if any, when the call ends, whether well or not. */
  readonly onTrailer?: ((trailer: Metadata) => void) | undefined;
  /** The call being handled: its deadline bounds this one, its cancellation cancels this one. */
  readonly parent?: CallContext | undefined;
}
