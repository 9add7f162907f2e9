import { describe, expect, it } from "vitest";
import type { Codec } from "../../../runtime/codec/codec.js";
import { IpcError } from "../../../runtime/error.js";
import { DEFAULT_LIMITS, type Limits } from "../../../runtime/limits.js";
import { BytesPayload, keep, MessagePayload } from "../../../runtime/session/payload.js";
import type { Stream } from "../../../runtime/session/stream.js";
import type { StreamReceiver } from "../../../runtime/session/stream-receiver.js";
import {
  DEFAULT_WIRE_LIMITS,
  encodeFrame,
  encodeHello,
  Feature,
  Flag,
  Kind,
} from "../../../runtime/wire/index.js";
import { ArrivedBlock } from "../../../transports/memory/arrived-block.js";
import { MemoryBlocks } from "../../../transports/memory/memory-blocks.js";
import type { ReceivedBlock } from "../../../transports/transport.js";
import { failureIn } from "../../harness/failure.js";
import { type Acceptor, acceptorOf } from "./array-link.js";

const METHOD = "test.v1.Echo/Say";
const MIN_BYTES = 1_000;
const PART_BYTES = 400;

/** Messages are bytes, and encoded as they are. `slack`: how much too large the bound is. */
function bytesCodec(slack = 0): Codec<unknown, unknown> {
  return {
    typeName: "test.Bytes",
    maxSize: (message) => (message as Uint8Array).length + slack,
    encodeInto(message, bytes, offset) {
      bytes.set(message as Uint8Array, offset);
      return offset + (message as Uint8Array).length;
    },
    decode: (bytes, start, end) => bytes.slice(start, end),
  };
}

function message(length: number, slack = 0): MessagePayload {
  const bytes = Uint8Array.from({ length }, (_, index) => (index * 7) & 0xff);
  return new MessagePayload().set(bytesCodec(slack), bytes);
}

function content(length: number): Uint8Array {
  const payload = message(length);
  const bytes = new Uint8Array(length);
  payload.writeInto(bytes, 0);
  return bytes;
}

interface Side extends Acceptor {
  readonly blocks: MemoryBlocks;
  /** Opens a call from the peer. */
  open(streamId: number): Stream;
}

function side(
  options: {
    readonly limits?: Partial<Limits>;
    readonly peerLimits?: Partial<typeof DEFAULT_WIRE_LIMITS>;
    readonly maxBytes?: number;
    readonly now?: () => number;
    readonly onMessage?: (message: Uint8Array) => void;
  } = {},
): Side {
  const blocks = new MemoryBlocks({ minBytes: MIN_BYTES, maxBytes: options.maxBytes });
  const { now, onMessage } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const acceptor = acceptorOf(limits, { blocks, fragmentBytes: PART_BYTES, now, onMessage });
  const hello = encodeHello({
    minVersion: 1,
    maxVersion: 1,
    features: Feature.FRAGMENTS,
    limits: { ...DEFAULT_WIRE_LIMITS, ...options.peerLimits },
    name: "",
    implementation: "",
    incarnation: new Uint8Array(16),
    clock: { bootId: "", timeNamespace: 0 },
    pid: 1,
  });
  acceptor.receive(encodeFrame({ kind: Kind.HELLO, payload: hello }));
  return {
    ...acceptor,
    blocks,
    open(streamId) {
      acceptor.receive(encodeFrame({ kind: Kind.OPEN, streamId, method: METHOD, flags: Flag.LAST }));
      return acceptor.opened.at(-1)!;
    },
  };
}

const RECEIVER: StreamReceiver = {
  onHeaders: () => undefined,
  onMessage: () => undefined,
  onKey: () => undefined,
  onLost: () => undefined,
  onLast: () => undefined,
  onCancel: () => undefined,
  onEnd: () => undefined,
  onSendable: () => undefined,
};
const REQUEST = {
  method: METHOD,
  deadlineMs: Number.POSITIVE_INFINITY,
  metadata: [],
  isLast: true,
  manyResponses: false,
};
const GIVEN_UP = new IpcError("CANCELLED", "given up");

/** The payloads of the frames of a stream, put together. */
function payloadOf({ link }: Side, kinds: readonly number[]): Uint8Array {
  const payloads = link.sent.filter(({ kind }) => kinds.includes(kind)).map(({ payload }) => payload ?? []);
  return Uint8Array.from(payloads.flatMap((payload) => [...payload]));
}

describe("a payload that is sent", () => {
  it("stands in a block from the store's least size on, and in the frame below it", () => {
    const here = side();
    here.open(1).finish(undefined, message(MIN_BYTES - 1), [], true);
    // It fits no frame either, and is sent in parts.
    here.link.drain();
    here.session.flush();
    expect(here.link.inBlocks).toHaveLength(0);
    expect(payloadOf(here, [Kind.DATA, Kind.END])).toEqual(content(MIN_BYTES - 1));
    here.open(3).finish(undefined, message(MIN_BYTES), [], true);
    expect(here.link.inBlocks.map(({ kind, payload }) => [kind, payload])).toEqual([
      [Kind.END, content(MIN_BYTES)],
    ]);
    expect(here.blocks.blocksInUse).toBe(0);
  });

  it("takes no more of the store than it has bytes, whatever its bound was", () => {
    const here = side();
    here.link.isFull = true;
    here.open(1).finish(undefined, message(MIN_BYTES + 5, 50_000), [], true);
    expect(here.blocks).toMatchObject({ blocksInUse: 1, bytesInUse: MIN_BYTES + 5 });
    here.link.drain();
    expect(here.link.inBlocks[0]?.payload).toEqual(content(MIN_BYTES + 5));
    expect(here.blocks.blocksInUse).toBe(0);
  });

  it("stands in the frame where it is smaller than its bound said", () => {
    const here = side();
    here.open(1).finish(undefined, message(10, 50_000), [], true);
    expect(here.link.inBlocks).toHaveLength(0);
    expect(payloadOf(here, [Kind.END])).toEqual(content(10));
    expect(here.blocks.blocksInUse).toBe(0);
  });

  it("stands in a block in every kind of frame", () => {
    const here = side();
    const calls = here.session.opener;
    calls.openCall(REQUEST, message(MIN_BYTES), RECEIVER);
    calls.openOneWay(REQUEST, message(MIN_BYTES + 1), () => undefined);
    const stream = here.open(1);
    expect(stream.trySend(message(MIN_BYTES + 2), 0, 0, 0, 0, 0)).toBe(true);
    stream.finish(undefined, message(MIN_BYTES + 3), [], true);
    expect(here.link.inBlocks.map(({ kind, payload }) => [kind, payload])).toEqual([
      [Kind.OPEN, content(MIN_BYTES)],
      [Kind.OPEN, content(MIN_BYTES + 1)],
      [Kind.DATA, content(MIN_BYTES + 2)],
      [Kind.END, content(MIN_BYTES + 3)],
    ]);
    expect(here.blocks.blocksInUse).toBe(0);
  });

  it("goes in parts out of its block where the peer holds as many as it may, and is then given back", () => {
    const here = side();
    here.link.isPeerHoarding = true;
    const calls = here.session.opener;
    calls.openCall(REQUEST, message(MIN_BYTES), RECEIVER);
    calls.openOneWay(REQUEST, message(MIN_BYTES), () => undefined);
    const stream = here.open(1);
    expect(stream.trySend(message(MIN_BYTES), 0, 0, 0, 0, 0)).toBe(true);
    here.open(3).finish(undefined, message(MIN_BYTES), [], true);
    expect(here.blocks.blocksInUse).toBe(4);
    here.session.flush();
    expect(here.blocks.blocksInUse).toBe(0);
    expect(here.link.inBlocks).toHaveLength(0);
    for (const streamId of [1n, 2n, 3n, 4n]) {
      const frames = here.link.sent.filter((frame) => frame.streamId === streamId);
      const parts = frames.flatMap(({ payload }) => [...(payload ?? [])]);
      expect(Uint8Array.from(parts)).toEqual(content(MIN_BYTES));
      expect(Math.max(...frames.map(({ payload }) => payload?.length ?? 0))).toBe(PART_BYTES);
    }
  });

  it("is copied into a block where it stands in other memory", () => {
    const here = side();
    const stores = [undefined, new MemoryBlocks({ minBytes: MIN_BYTES })];
    for (const [i, store] of stores.entries()) {
      const elsewhere = keep(message(MIN_BYTES), store);
      here.open(1 + i * 2).finish(undefined, elsewhere, [], true);
      elsewhere.drop();
      expect(here.link.inBlocks.map(({ kind, payload }) => [kind, payload]).at(-1)).toEqual([
        Kind.END,
        content(MIN_BYTES),
      ]);
      expect([here.link.inBlocks.length, here.blocks.blocksInUse, store?.blocksInUse ?? 0]).toEqual([
        i + 1,
        0,
        0,
      ]);
    }
  });

  it("goes in parts where the store is full", () => {
    const here = side({ maxBytes: MIN_BYTES });
    here.open(1).finish(undefined, message(MIN_BYTES + 1), [], true);
    here.session.flush();
    expect(here.link.inBlocks).toHaveLength(0);
    expect(payloadOf(here, [Kind.DATA, Kind.END])).toEqual(content(MIN_BYTES + 1));
  });

  it("is not begun where it is above the peer's limit or cannot be encoded", () => {
    const here = side({ peerLimits: { maxMessageBytes: 2_000 } });
    const { opener } = here.session;
    const stream = here.open(1);
    const before = here.link.sent.length;
    const broken = new MessagePayload().set(
      {
        ...bytesCodec(),
        encodeInto: () => {
          throw new RangeError("not encodable");
        },
      },
      new Uint8Array(MIN_BYTES),
    );
    for (const send of [
      (payload: MessagePayload) => opener.openCall(REQUEST, payload, RECEIVER),
      (payload: MessagePayload) => opener.openOneWay(REQUEST, payload, () => undefined),
      (payload: MessagePayload) => stream.trySend(payload, 0, 0, 0, 0, 0),
      (payload: MessagePayload) => stream.finish(undefined, payload, [], true),
    ]) {
      expect(failureIn(() => send(message(2_001))).message).toContain(
        "a message of 2001 bytes is above the receiver's limit of 2000 bytes (maxMessageBytes)",
      );
      expect(() => send(broken)).toThrow("not encodable");
    }
    expect(here.link.sent).toHaveLength(before);
    expect(here.blocks.blocksInUse).toBe(0);
    expect(stream.trySend(message(2_000), 0, 0, 0, 0, 0)).toBe(true);
  });
});

/** How a call ends whose message waits. `streamId` is the peer's stream, or ours. */
type Ending = readonly [name: string, end: (here: Side, stream: Stream) => void];

const CALLEE_ENDINGS: readonly Ending[] = [
  ["the caller cancels", ({ receive }, { id }) => receive(encodeFrame({ kind: Kind.CANCEL, streamId: id }))],
  ["the session is closed", ({ session }) => session.close(GIVEN_UP)],
  ["the link is lost", ({ session }) => session.onClose({ kind: "peer" })],
  ["the peer breaks the protocol", ({ receive }) => receive(encodeFrame({ kind: 63 }))],
];
const CALLER_ENDINGS: readonly Ending[] = [
  ["it is cancelled", (_, stream) => stream.cancel(GIVEN_UP)],
  [
    "its deadline passes",
    ({ session, link }) => {
      session.tick(1_000);
      link.drain();
    },
  ],
  ["the session is closed", ({ session }) => session.close(GIVEN_UP)],
  ["the link is lost", ({ session }) => session.onClose({ kind: "io", cause: undefined })],
  ["this side drains", ({ session }) => session.drain()],
  ["the peer drains", ({ receive }) => receive(encodeFrame({ kind: Kind.DRAIN, streamId: 0 }))],
];

describe("a block that waits with its message", () => {
  for (const [name, end] of CALLEE_ENDINGS) {
    it(`is given back when ${name}: a response that waits for the link`, () => {
      const here = side();
      const stream = here.open(1);
      here.link.isFull = true;
      stream.finish(undefined, message(MIN_BYTES), [], true);
      expect(here.blocks.blocksInUse).toBe(1);
      end(here, stream);
      expect(here.blocks.blocksInUse).toBe(0);
    });

    it(`is given back when ${name}: a response that is sent in part`, () => {
      const here = side();
      const stream = here.open(1);
      here.link.isPeerHoarding = true;
      stream.finish(undefined, message(MIN_BYTES), [], true);
      here.session.flush();
      expect(here.blocks.blocksInUse).toBe(0);
      const other = here.open(3);
      other.trySend(message(MIN_BYTES), 0, 0, 0, 0, 0);
      expect(here.blocks.blocksInUse).toBe(1);
      end(here, other);
      expect(here.blocks.blocksInUse).toBe(0);
    });
  }

  for (const [name, end] of CALLER_ENDINGS) {
    it(`is given back when ${name}: a call that waits for the link`, () => {
      const here = side();
      here.link.isFull = true;
      const stream = here.session.opener.openCall(
        { ...REQUEST, deadlineMs: 1_000 },
        message(MIN_BYTES),
        RECEIVER,
      );
      const sent = here.session.opener.openOneWay(
        { ...REQUEST, deadlineMs: 1_000 },
        message(MIN_BYTES),
        () => undefined,
      );
      expect(here.blocks.blocksInUse).toBe(2);
      end(here, stream);
      sent.cancel(GIVEN_UP);
      expect(here.blocks.blocksInUse).toBe(0);
      expect(here.link.inBlocks).toHaveLength(0);
    });
  }

  it("is given back when it is cancelled: a call that is sent in part", () => {
    const here = side();
    here.link.isPeerHoarding = true;
    const stream = here.session.opener.openCall(REQUEST, message(MIN_BYTES), RECEIVER);
    expect(here.blocks.blocksInUse).toBe(1);
    stream.cancel(GIVEN_UP);
    expect(here.blocks.blocksInUse).toBe(0);
  });

  it("is sent when there is room", () => {
    const here = side();
    here.link.isFull = true;
    here.session.opener.openCall(REQUEST, message(MIN_BYTES), RECEIVER);
    here.session.opener.openOneWay(REQUEST, message(MIN_BYTES), () => undefined);
    here.open(1).finish(undefined, message(MIN_BYTES), [], true);
    expect(here.blocks.blocksInUse).toBe(3);
    here.link.drain();
    expect(here.link.inBlocks.map(({ kind }) => kind)).toEqual([Kind.OPEN, Kind.OPEN, Kind.END]);
    expect(here.blocks.blocksInUse).toBe(0);
  });

  it("is not held more often than dropped", () => {
    const blocks = new MemoryBlocks({ minBytes: 1 });
    const block = blocks.allocate(10)!;
    const payload = new BytesPayload(block.bytes, 0, 10, block, blocks);
    payload.hold().drop();
    expect(blocks.blocksInUse).toBe(1);
    payload.drop();
    expect(blocks.blocksInUse).toBe(0);
    expect(() => payload.drop()).toThrow(RangeError);
    expect(() => payload.hold()).toThrow(RangeError);
  });
});

/** A payload in a block of the peer's. */
function received(bytes: Uint8Array): { readonly block: ReceivedBlock; readonly peers: MemoryBlocks } {
  const peers = new MemoryBlocks({ minBytes: 1 });
  const block = peers.allocate(bytes.length)!;
  block.bytes.set(bytes);
  peers.hold(block);
  return { block: new ArrivedBlock(1, block, 0, bytes.length, () => peers.giveBack(block)), peers };
}

describe("a payload that comes in a block", () => {
  it("is a message like any other, and counts as much", () => {
    const messages: Uint8Array[] = [];
    const here = side({ onMessage: (bytes) => messages.push(bytes) });
    const open = encodeFrame({ kind: Kind.OPEN, streamId: 1, method: METHOD });
    const left = here.session.peerCallBytes;
    here.receive(open, received(content(500)).block);
    expect(here.session.peerCallBytes).toBe(left - 500);
    here.receive(encodeFrame({ kind: Kind.DATA, streamId: 1 }), received(content(0)).block);
    expect(messages).toEqual([content(500), content(0)]);
    expect(here.session.closedBy).toBeUndefined();
  });

  it("is put together with parts that come in frames", () => {
    const messages: Uint8Array[] = [];
    const here = side({ onMessage: (bytes) => messages.push(bytes) });
    const whole = content(900);
    here.receive(
      encodeFrame({
        kind: Kind.OPEN,
        streamId: 1,
        method: METHOD,
        flags: Flag.MORE,
        payload: whole.subarray(0, 100),
      }),
    );
    const more = encodeFrame({ kind: Kind.DATA, streamId: 1, flags: Flag.MORE });
    here.receive(more, received(whole.subarray(100, 600)).block);
    here.receive(encodeFrame({ kind: Kind.DATA, streamId: 1 }), received(whole.subarray(600)).block);
    expect(messages).toEqual([whole]);
  });

  it("is refused above maxMessageBytes before it is copied", () => {
    const here = side({ limits: { maxMessageBytes: 2_000 } });
    const { block } = received(content(2_001));
    let copies = 0;
    const watched = { ...block, length: 2_001, copy: () => new Uint8Array(++copies) };
    here.receive(encodeFrame({ kind: Kind.OPEN, streamId: 1, method: METHOD, flags: Flag.LAST }), watched);
    expect(copies).toBe(0);
    const end = here.link.sent.at(-1);
    expect(end?.kind).toBe(Kind.END);
    expect(end?.status?.message).toContain(
      "a message of 2001 bytes or more is above the limit of 2000 bytes",
    );
    expect(here.session.closedBy).toBeUndefined();
  });

  it("needs credit", () => {
    const here = side({ limits: { initialMessages: 1 } });
    here.open(1);
    here.receive(encodeFrame({ kind: Kind.OPEN, streamId: 3, method: METHOD }));
    for (let i = 0; i < 2; i++) {
      here.receive(encodeFrame({ kind: Kind.DATA, streamId: 3 }), received(content(10)).block);
    }
    expect(here.session.closedBy?.message).toContain("a message without credit on stream 3");
  });

  it("breaks the protocol beside a payload, and with frames that have none", () => {
    const wrong = [
      [
        encodeFrame({ kind: Kind.OPEN, streamId: 1, method: METHOD, payload: content(1) }),
        `frame kind ${Kind.OPEN} has a payload and a block`,
      ],
      [
        encodeFrame({ kind: Kind.CREDIT, streamId: 0, flags: Flag.ONE_WAY, messages: 1 }),
        `frame kind ${Kind.CREDIT} has a block, and no message`,
      ],
      [encodeFrame({ kind: Kind.HELLO }), `frame kind ${Kind.HELLO} has a block, and no message`],
    ] as const;
    for (const [record, text] of wrong) {
      const here = side();
      here.receive(record, received(content(10)).block);
      expect(here.session.closedBy?.message).toContain(`protocol error: ${text}`);
    }
  });

  it("is passed over with a frame of a kind that need not be known", () => {
    const here = side();
    here.receive(encodeFrame({ kind: 64 }), received(content(10)).block);
    expect(here.session.closedBy).toBeUndefined();
  });
});
