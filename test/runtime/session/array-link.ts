import { fromBinary } from "@bufbuild/protobuf";
import { type Frame, FrameSchema } from "../../../gen/protoipc/v1/wire_pb.js";
import type { Limits } from "../../../runtime/limits.js";
import { Session } from "../../../runtime/session/session.js";
import type { SessionHandler } from "../../../runtime/session/session-user.js";
import type { Stream } from "../../../runtime/session/stream.js";
import type { MemoryBlocks } from "../../../transports/memory/memory-blocks.js";
import type { Block, Link, LinkReceiver, ReceivedBlock, Slot } from "../../../transports/transport.js";

/** A link whose records stay in an array. */
export class ArrayLink implements Link {
  readonly info: Link["info"];
  readonly peer: Link["peer"] = { pid: undefined, uid: undefined, gid: undefined, verifiedBy: "nobody" };
  readonly sent: Frame[] = [];
  readonly blocks: MemoryBlocks | undefined;
  /** Of the frames sent, those whose payload stood in a block. */
  readonly inBlocks: Frame[] = [];
  /** Whether the peer holds as many blocks as it may. */
  isPeerHoarding = false;
  isFull = false;
  isClosed = false;
  /** What `receiveBlocking` does, one after the other; when there is nothing left, the time is over. */
  readonly incoming: (() => void)[] = [];
  receiver: LinkReceiver | undefined;

  constructor(fragmentBytes: number, blocks?: MemoryBlocks) {
    this.blocks = blocks;
    this.info = { transport: "array", location: "", reason: "", fragmentBytes };
  }

  start(receiver: LinkReceiver): void {
    this.receiver = receiver;
  }

  reserve(maxBytes: number): Slot | undefined {
    return this.isFull || this.isClosed
      ? undefined
      : { bytes: new Uint8Array(maxBytes), start: 0, end: maxBytes };
  }

  commit(slot: Slot, usedBytes: number): void {
    this.sent.push(fromBinary(FrameSchema, slot.bytes.subarray(0, usedBytes)));
  }

  commitBlock(slot: Slot, usedBytes: number, block: Block, start: number, end: number): boolean {
    if (this.isPeerHoarding) return false;
    const head = fromBinary(FrameSchema, slot.bytes.subarray(0, usedBytes));
    if (head.payload !== undefined) throw new Error("a frame has a payload and a block");
    // Read at once, so that the peer holds nothing.
    const frame = { ...head, payload: block.bytes.slice(start, end) };
    this.inBlocks.push(frame);
    this.sent.push(frame);
    return true;
  }

  receiveBlocking(): boolean {
    const next = this.incoming.shift();
    next?.();
    return next !== undefined;
  }

  /** There is room again. */
  drain(): void {
    this.isFull = false;
    this.receiver?.onWritable();
  }

  flush(): void {}

  close(): void {
    this.isClosed = true;
  }
}

/** A session over an array, and what reached its user. */
export interface Acceptor {
  readonly session: Session;
  readonly link: ArrayLink;
  /** The streams that the peer has opened. They are never finished, unless by the session. */
  readonly opened: Stream[];
  receive(record: Uint8Array, block?: ReceivedBlock): void;
}

export interface AcceptorOptions {
  readonly now?: (() => number) | undefined;
  readonly fragmentBytes?: number | undefined;
  readonly blocks?: MemoryBlocks | undefined;
  /** Takes every message that comes. */
  readonly onMessage?: ((message: Uint8Array) => void) | undefined;
}

/** A session that accepts every call of test.v1.Echo/Say, and lets it stand. */
export function acceptorOf(limits: Limits, options: AcceptorOptions = {}): Acceptor {
  const { now = () => 0, fragmentBytes = Number.POSITIVE_INFINITY, blocks, onMessage } = options;
  const link = new ArrayLink(fragmentBytes, blocks);
  const opened: Stream[] = [];
  const handler: SessionHandler = {
    onReady: () => undefined,
    onOpen(stream) {
      opened.push(stream);
      return {
        onHeaders: () => undefined,
        onMessage: (bytes, start, end) => onMessage?.(bytes.slice(start, end)),
        onKey: () => undefined,
        onLost: () => undefined,
        onLast: () => undefined,
        onCancel: (reason) => stream.finish(reason, undefined, [], true),
        onEnd: () => undefined,
        onSendable: () => undefined,
      };
    },
    onPeerDraining: () => undefined,
    onUncongested: () => undefined,
    onDrained: () => undefined,
    onClosed: () => undefined,
    onDirty: () => undefined,
    onWakeAt: () => undefined,
  };
  const config = {
    side: "acceptor",
    limits,
    name: "",
    implementation: "test/1",
    incarnation: new Uint8Array(16),
    pid: 1,
    clock: { bootId: "", timeNamespace: 0, offsetMs: 0 },
    now,
  } as const;
  const session = new Session(link, config, handler);
  session.start();
  return {
    session,
    link,
    opened,
    receive: (record, block) => session.onRecord(record, 0, record.length, block),
  };
}
