import { describe, expect, it } from "vitest";
import type { IpcError } from "../../../runtime/error.js";
import { DEFAULT_LIMITS } from "../../../runtime/limits.js";
import { blockUntilEnded, receiveOnce } from "../../../runtime/session/blocking.js";
import { BytesPayload } from "../../../runtime/session/payload.js";
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
import { type Acceptor, acceptorOf } from "./array-link.js";

const METHOD = "test.v1.Echo/Say";
const REQUEST = {
  method: METHOD,
  deadlineMs: Number.POSITIVE_INFINITY,
  metadata: [],
  isLast: true,
  manyResponses: false,
};

interface Caller extends Acceptor {
  /** The calls that were opened here, and all that each was told. */
  call(name: string, deadlineMs?: number): Stream;
  readonly told: string[];
  readonly time: { nowMs: number };
}

function caller(): Caller {
  const time = { nowMs: 0 };
  const told: string[] = [];
  const blocks = new MemoryBlocks({ minBytes: 100, maxBytes: 900 });
  const acceptor = acceptorOf(DEFAULT_LIMITS, {
    now: () => time.nowMs,
    blocks,
    fragmentBytes: 300,
    onMessage: (bytes) => told.push(`request ${text(bytes)}`),
  });
  const hello = encodeHello({
    minVersion: 1,
    maxVersion: 1,
    features: Feature.FRAGMENTS,
    limits: DEFAULT_WIRE_LIMITS,
    name: "",
    implementation: "",
    incarnation: new Uint8Array(16),
    clock: { bootId: "", timeNamespace: 0 },
    pid: 1,
  });
  acceptor.receive(encodeFrame({ kind: Kind.HELLO, payload: hello }));
  return {
    ...acceptor,
    told,
    time,
    call(name, deadlineMs = Number.POSITIVE_INFINITY) {
      const receiver: StreamReceiver = {
        onHeaders: () => told.push(`${name}: headers`),
        onMessage: (bytes, start, end) => told.push(`${name}: ${text(bytes.subarray(start, end))}`),
        onKey: () => undefined,
        onLost: () => undefined,
        onLast: () => undefined,
        onCancel: () => undefined,
        onEnd: (error) =>
          told.push(error === undefined ? `${name} ends` : `${name}: ${describeError(error)}`),
        onSendable: () => undefined,
      };
      return acceptor.session.opener.openCall({ ...REQUEST, deadlineMs }, undefined, receiver);
    },
  };
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const payload = (content: string): Uint8Array => Uint8Array.from(Buffer.from(content));
const describeError = ({ code, maybeExecuted }: IpcError): string =>
  `${code}${maybeExecuted ? ", perhaps executed" : ""}`;

describe("a thread that is blocked on a call", () => {
  it("is told of the call alone, and of all else in its order when it is free", () => {
    const { session, link, receive, call, told } = caller();
    const [before, own, after] = [call("before"), call("own"), call("after")];
    const frames = [
      encodeFrame({ kind: Kind.HEADERS, streamId: before.id }),
      encodeFrame({
        kind: Kind.OPEN,
        streamId: 1,
        method: METHOD,
        payload: payload("one"),
        flags: Flag.LAST,
      }),
      encodeFrame({ kind: Kind.HEADERS, streamId: own.id }),
      encodeFrame({ kind: Kind.END, streamId: before.id, payload: payload("reply") }),
      encodeFrame({ kind: Kind.END, streamId: after.id, payload: payload("reply") }),
      encodeFrame({ kind: Kind.END, streamId: own.id, payload: payload("reply") }),
    ];
    link.incoming.push(...frames.map((frame) => () => receive(frame)));
    blockUntilEnded(session, own);
    expect(told).toEqual(["own: headers", "own: reply", "own ends"]);
    // What comes before the rest was told waits its turn.
    receive(
      encodeFrame({
        kind: Kind.OPEN,
        streamId: 3,
        method: METHOD,
        payload: payload("two"),
        flags: Flag.LAST,
      }),
    );
    const last = call("last");
    receive(encodeFrame({ kind: Kind.END, streamId: last.id }));
    expect(told).toHaveLength(3);
    session.flush();
    expect(told.slice(3)).toEqual([
      "before: headers",
      "request one",
      "before: reply",
      "before ends",
      "after: reply",
      "after ends",
      "request two",
      "last ends",
    ]);
    expect(session.held).toBeUndefined();
    receive(encodeFrame({ kind: Kind.CREDIT, streamId: 3, messages: 1 }));
    expect(session.closedBy).toBeUndefined();
  });

  it("holds a copy of what came in blocks", () => {
    const { session, link, receive, call, told } = caller();
    const [other, own] = [call("other"), call("own")];
    const peers = new MemoryBlocks({ minBytes: 1 });
    const block = peers.allocate(5)!;
    block.bytes.set(payload("large"));
    peers.hold(block);
    const arrived = new ArrivedBlock(1, block, 0, 5, () => peers.giveBack(block));
    peers.release(block);
    link.incoming.push(
      () => {
        receive(encodeFrame({ kind: Kind.END, streamId: other.id }), arrived);
        arrived.delivered();
      },
      () => receive(encodeFrame({ kind: Kind.END, streamId: own.id })),
    );
    blockUntilEnded(session, own);
    expect(peers.blocksInUse).toBe(0);
    session.flush();
    expect(told).toEqual(["own ends", "other: large", "other ends"]);
  });

  it("is free at the deadline of the call; other deadlines wait", () => {
    const { session, link, call, told, time } = caller();
    call("other", 50);
    const own = call("own", 100);
    link.incoming.push(() => {
      time.nowMs = 200;
    });
    blockUntilEnded(session, own);
    expect(told).toEqual(["own: DEADLINE_EXCEEDED, perhaps executed"]);
    expect(link.sent.at(-1)?.kind).toBe(Kind.CANCEL);
    session.tick(200);
    expect(told.at(-1)).toBe("other: DEADLINE_EXCEEDED, perhaps executed");
  });

  it("is free when the peer will not start the call, and drains afterwards", () => {
    const { session, link, receive, call, told } = caller();
    const [other, own] = [call("other"), call("own")];
    link.incoming.push(() => receive(encodeFrame({ kind: Kind.DRAIN, streamId: other.id })));
    blockUntilEnded(session, own);
    expect(told).toEqual(["own: UNAVAILABLE"]);
    expect(session.held?.over?.code).toBe("UNAVAILABLE");
    expect(session.isPeerDraining).toBe(false);
    session.flush();
    expect(session.isPeerDraining).toBe(true);
    receive(encodeFrame({ kind: Kind.END, streamId: other.id }));
    expect(told.at(-1)).toBe("other ends");
  });

  it("waits on where the peer drains and has started the call", () => {
    const { session, link, receive, call, told } = caller();
    const own = call("own");
    link.incoming.push(
      () => receive(encodeFrame({ kind: Kind.DRAIN, streamId: own.id })),
      () => receive(encodeFrame({ kind: Kind.END, streamId: own.id, payload: payload("reply") })),
    );
    blockUntilEnded(session, own);
    expect(told).toEqual(["own: reply", "own ends"]);
  });

  it("knows that the peer drains where that came in one batch with the end of the call", () => {
    const { session, link, receive, call, told } = caller();
    const own = call("own");
    link.incoming.push(() => {
      receive(encodeFrame({ kind: Kind.END, streamId: own.id, payload: payload("reply") }));
      receive(encodeFrame({ kind: Kind.DRAIN, streamId: own.id }));
    });
    blockUntilEnded(session, own);
    expect(told).toEqual(["own: reply", "own ends"]);
    expect(session.held?.over?.code).toBe("UNAVAILABLE");
    session.flush();
    expect(session.isPeerDraining).toBe(true);
  });

  it("is free when the peer closes the link; what came before is told first", () => {
    const { session, link, receive, call, told } = caller();
    const [other, own] = [call("other"), call("own")];
    const status = { code: 14, message: "going away", details: [] };
    link.incoming.push(
      () => receive(encodeFrame({ kind: Kind.END, streamId: other.id, payload: payload("reply") })),
      () => receive(encodeFrame({ kind: Kind.CLOSE, status })),
    );
    blockUntilEnded(session, own);
    expect(told).toEqual(["own: UNAVAILABLE, perhaps executed"]);
    expect(session.closedBy).toBeUndefined();
    session.flush();
    expect(told.slice(1)).toEqual(["other: reply", "other ends"]);
    expect(session.closedBy?.rawMessage).toBe("going away");
  });

  it("is free when the link is lost; what came before is told first", () => {
    const { session, link, receive, call, told } = caller();
    const [other, own, never] = [call("other"), call("own"), call("never")];
    link.incoming.push(
      () => receive(encodeFrame({ kind: Kind.END, streamId: other.id })),
      () => session.onClose({ kind: "peer" }),
    );
    blockUntilEnded(session, own);
    expect(told).toEqual(["own: UNAVAILABLE, perhaps executed"]);
    session.flush();
    expect(told.slice(1)).toEqual(["other ends", "never: UNAVAILABLE, perhaps executed"]);
    expect(session.closedBy?.code).toBe("UNAVAILABLE");
    expect(never.receiver).toBeUndefined();
  });

  it("is free when the link cannot be waited for any more", () => {
    const { session, call, told } = caller();
    blockUntilEnded(session, call("own"));
    expect(told).toEqual(["own: UNAVAILABLE, perhaps executed"]);
  });

  it("ends the link for what breaks the protocol", () => {
    const { session, link, receive, call, told } = caller();
    const own = call("own");
    link.incoming.push(() => receive(Uint8Array.of(0x08)));
    blockUntilEnded(session, own);
    expect(session.closedBy?.code).toBe("INTERNAL");
    expect(told).toEqual(["own: INTERNAL, perhaps executed"]);
  });

  it("waits for the link to take the request, and not for a turn that others have to give", () => {
    const { session, link, receive, call, told } = caller();
    link.isFull = true;
    const own = call("own");
    expect(own.opened).toBe(false);
    link.incoming.push(
      () => link.drain(),
      () => receive(encodeFrame({ kind: Kind.END, streamId: own.id })),
    );
    blockUntilEnded(session, own);
    expect(told).toEqual(["own ends"]);

    const calls = Array.from({ length: DEFAULT_WIRE_LIMITS.maxCalls }, () => call("other"));
    expect(calls.every(({ opened }) => opened)).toBe(true);
    blockUntilEnded(session, call("late"));
    expect(told.at(-1)).toBe("late: RESOURCE_EXHAUSTED");
  });

  it("sends parts of a large request while it waits", () => {
    const { session, link, receive } = caller();
    const large = new BytesPayload(Uint8Array.from({ length: 1_000 }, (_, index) => index));
    const stream = session.opener.openCall(REQUEST, large, {
      onHeaders: () => undefined,
      onMessage: () => undefined,
      onKey: () => undefined,
      onLost: () => undefined,
      onLast: () => undefined,
      onCancel: () => undefined,
      onEnd: () => undefined,
      onSendable: () => undefined,
    });
    link.incoming.push(() => {
      const parts = link.sent.filter(({ streamId }) => streamId === BigInt(stream.id));
      expect(parts.map(({ kind, payload }) => [kind, payload?.length])).toEqual([
        [Kind.OPEN, 300],
        [Kind.DATA, 300],
        [Kind.DATA, 300],
        [Kind.DATA, 100],
      ]);
      receive(encodeFrame({ kind: Kind.END, streamId: stream.id }));
    });
    blockUntilEnded(session, stream);
    expect(link.incoming).toHaveLength(0);
  });
});

describe("a thread that receives", () => {
  it("is told of everything, up to the next deadline of a call", () => {
    const { session, link, receive, call, told, time } = caller();
    const other = call("other");
    call("late", 50);
    link.incoming.push(
      () => receive(encodeFrame({ kind: Kind.END, streamId: other.id })),
      () => {
        time.nowMs = 60;
      },
      () => session.onClose({ kind: "peer" }),
    );
    expect(receiveOnce(session, 1_000)).toBe(true);
    expect(told).toEqual(["other ends"]);
    expect(receiveOnce(session, 1_000)).toBe(true);
    expect(told.at(-1)).toBe("late: DEADLINE_EXCEEDED, perhaps executed");
    expect(receiveOnce(session, 1_000)).toBe(false);
    expect(receiveOnce(session, 1_000)).toBe(false);
  });

  it("is told first of what was held while a call blocked it", () => {
    const { session, link, receive, call, told } = caller();
    const [other, own] = [call("other"), call("own")];
    link.incoming.push(
      () => receive(encodeFrame({ kind: Kind.END, streamId: other.id })),
      () => receive(encodeFrame({ kind: Kind.END, streamId: own.id })),
    );
    blockUntilEnded(session, own);
    receiveOnce(session, 0);
    expect(told).toEqual(["own ends", "other ends"]);
  });
});
