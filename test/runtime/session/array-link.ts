import { fromBinary } from "@bufbuild/protobuf";
import { type Frame, FrameSchema } from "../../../gen/protoipc/v1/wire_pb.js";
import type { Limits } from "../../../runtime/limits.js";
import { Session, type SessionHandler } from "../../../runtime/session/session.js";
import type { Stream } from "../../../runtime/session/stream.js";
import type { Link, LinkReceiver, Slot } from "../../../transports/transport.js";

/** A link whose records stay in an array. */
export class ArrayLink implements Link {
  readonly info: Link["info"];
  readonly peer: Link["peer"] = { pid: undefined, uid: undefined, gid: undefined, verifiedBy: "nobody" };
  readonly sent: Frame[] = [];
  isFull = false;
  isClosed = false;
  receiver: LinkReceiver | undefined;

  constructor(fragmentBytes: number) {
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
  receive(record: Uint8Array): void;
}

/** A session that accepts every call of test.v1.Echo/Say, and lets it stand. */
export function acceptorOf(limits: Limits, now: () => number = () => 0): Acceptor {
  const link = new ArrayLink(Number.POSITIVE_INFINITY);
  const opened: Stream[] = [];
  const handler: SessionHandler = {
    onReady: () => undefined,
    onOpen(stream) {
      opened.push(stream);
      return {
        onHeaders: () => undefined,
        onMessage: () => undefined,
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
  return { session, link, opened, receive: (record) => session.onRecord(record, 0, record.length) };
}
