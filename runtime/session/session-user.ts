import type { IpcError } from "../error.js";
import type { Limits } from "../limits.js";
import type { WireHello } from "../wire/hello.js";
import type { WireMetadata } from "../wire/metadata.js";
import type { Stream } from "./stream.js";
import type { StreamReceiver } from "./stream-receiver.js";

/** What the session is told once. */
export interface SessionConfig {
  readonly side: "dialler" | "acceptor";
  readonly limits: Limits;
  readonly name: string;
  readonly implementation: string;
  readonly incarnation: Uint8Array;
  readonly pid: number;
  /** CLOCK_MONOTONIC is the session's time plus `offsetMs`. An empty boot id: not known. */
  readonly clock: { readonly bootId: string; readonly timeNamespace: number; readonly offsetMs: number };
  /** The session's time, in milliseconds. */
  readonly now: () => number;
}

/** The user of a session: what it tells and asks. No method may throw. */
export interface SessionHandler {
  /** The peer has introduced itself. */
  onReady(hello: WireHello): void;
  /** The peer opened a stream. The receiver is told of its messages; `stream.finish` must follow, at once or later. */
  onOpen(stream: Stream, method: string, metadata: readonly WireMetadata[]): StreamReceiver | undefined;
  /** The peer accepts no new streams. */
  onPeerDraining(): void;
  /** Responses that waited have left, so that calls may be started again. */
  onUncongested(): void;
  /** No stream is left after `drain`. */
  onDrained(): void;
  /** The session is over, and every stream is settled. Called once. */
  onClosed(reason: IpcError): void;
  /** Something waits for `flush` at the end of this turn. */
  onDirty(): void;
  /** `tick` is wanted at this time; an earlier wish is still valid. */
  onWakeAt(timeMs: number): void;
}
