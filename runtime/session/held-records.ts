import type { LinkEnd, ReceivedBlock } from "../../transports/transport.js";
import { IpcError } from "../error.js";
import { FrameHead, readFrameHead } from "../wire/frame-head.js";
import { Kind } from "../wire/kinds.js";
import { decodeStatus } from "../wire/status.js";
import { WireError } from "../wire/wire-error.js";
import { linkLost } from "./link-lost.js";
import type { Session } from "./session.js";
import { errorOf, withMaybeExecuted } from "./status.js";
import { NO_METADATA, type Stream } from "./stream.js";

/** A record that waits, in memory of its own. */
interface HeldRecord {
  readonly bytes: Uint8Array;
  readonly block: ReceivedBlock | undefined;
}

const head = new FrameHead();

/**
 * What came while the thread was blocked on one call. The call's own frames are not held; what is for others would run
 * code that does not expect it, and is delivered, in its order, when the thread is free again.
 */
export class HeldRecords {
  readonly #session: Session;
  #records: HeldRecord[] = [];
  /** The call that blocks the thread; `undefined` when none does any more. */
  stream: Stream | undefined;
  /** How the link has ended meanwhile. */
  linkEnd: LinkEnd | undefined;
  /** Why no further call can be opened, which the session is yet to be told. */
  over: IpcError | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  get isEmpty(): boolean {
    return this.#records.length === 0 && this.linkEnd === undefined;
  }

  /** A record came: delivers it where it is the call's own, else keeps it. */
  take(bytes: Uint8Array, start: number, end: number, block: ReceivedBlock | undefined): void {
    const { stream } = this;
    if (stream !== undefined && this.#isOwn(stream, bytes, start, end)) {
      this.#session.deliver(bytes, start, end, block);
      return;
    }
    this.#records.push({
      bytes: bytes.slice(start, end),
      block: block === undefined ? undefined : copyOf(block),
    });
  }

  /** The link is gone. Whatever came before that is still delivered. */
  takeEnd(end: LinkEnd): void {
    this.linkEnd = end;
    // The link lets go of what is borrowed when this returns.
    for (const stream of this.#session.streams.all()) stream.receiver?.onMemoryGoing?.();
    this.#endCall(linkLost(end, false), true);
  }

  /** Delivers what was kept. */
  deliver(): void {
    const records = this.#records;
    this.#records = [];
    for (const { bytes, block } of records) {
      if (this.#session.closedBy !== undefined) return;
      this.#session.deliver(bytes, 0, bytes.length, block);
    }
  }

  /** Whether the record is of the call, or of no use to anybody. The link's own frames may end the call. */
  #isOwn(stream: Stream, bytes: Uint8Array, start: number, end: number): boolean {
    try {
      readFrameHead(head, bytes, start, end);
      switch (head.kind) {
        case Kind.DATA:
        case Kind.HEADERS:
        case Kind.END:
        case Kind.CREDIT:
          return stream.opened && head.streamId === stream.id;
        case Kind.DRAIN: {
          const isStarted = stream.opened && stream.id <= head.streamId;
          const text = "the peer is closing and did not start the call";
          this.over = new IpcError("UNAVAILABLE", text);
          if (!isStarted) this.#endCall(this.over, false);
          return false;
        }
        case Kind.CLOSE: {
          const { statusStart, statusEnd } = head;
          const status = statusStart < 0 ? undefined : decodeStatus(bytes, statusStart, statusEnd);
          const reason = status === undefined ? undefined : errorOf(status, true, undefined);
          this.#endCall(reason ?? new IpcError("UNAVAILABLE", "the peer closed the link"), true);
          return false;
        }
        default:
          return false;
      }
    } catch (error) {
      // The session says what is wrong with it.
      if (error instanceof WireError) return true;
      throw error;
    }
  }

  #endCall(reason: IpcError, mayHaveRun: boolean): void {
    this.over = withMaybeExecuted(reason, false);
    const { stream } = this;
    if (stream?.receiver === undefined) return;
    if (stream.opened) this.#session.endStream(stream, withMaybeExecuted(reason, mayHaveRun), NO_METADATA);
    else this.#session.cancelStream(stream, reason);
  }
}

function copyOf(block: ReceivedBlock): ReceivedBlock {
  const bytes = block.copy();
  return { length: bytes.length, copy: () => bytes, borrow: () => undefined };
}
