import { expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../../runtime/limits.js";
import { DEFAULT_WIRE_LIMITS, encodeFrame, encodeHello, Flag, Kind } from "../../runtime/wire/index.js";
import { decodeStatus } from "../../runtime/wire/status.js";
import { type Acceptor, acceptorOf } from "../runtime/session/array-link.js";

const METHOD = "test.v1.Echo/Say";

function introduced(limits: Partial<typeof DEFAULT_LIMITS> = {}): Acceptor {
  const acceptor = acceptorOf({ ...DEFAULT_LIMITS, ...limits });
  introduce(acceptor);
  return acceptor;
}

function introduce(acceptor: Acceptor): void {
  const hello = encodeHello({
    minVersion: 1,
    maxVersion: 1,
    features: 0,
    limits: DEFAULT_WIRE_LIMITS,
    name: "",
    implementation: "",
    incarnation: new Uint8Array(16),
    clock: { bootId: "", timeNamespace: 0 },
    pid: 1,
  });
  acceptor.receive(encodeFrame({ kind: Kind.HELLO, payload: hello }));
}

// Pairs without a byte in them passed a limit that counted bytes, and cost 200 times what they took on the wire.
test("pairs of metadata count, however short they are", () => {
  const { session, receive } = introduced();
  const pairs = Array.from({ length: 257 }, () => [0x72, 0x00]).flat();
  receive(Uint8Array.from([...encodeFrame({ kind: Kind.OPEN, streamId: 1, method: METHOD }), ...pairs]));
  expect(session.closedBy?.message).toContain("257 pairs of metadata");
});

// The credit for first messages was looked at in OPEN alone, so that calls without payload passed, and their parts did.
test("first messages that come in parts draw on callBytes too", () => {
  const { session, receive } = introduced({ callBytes: 1_024, maxMessageBytes: 2_048 });
  const part = new Uint8Array(2_000);
  for (const streamId of [1, 3, 5]) {
    receive(
      encodeFrame({
        kind: Kind.OPEN,
        streamId,
        method: METHOD,
        flags: Flag.MORE,
        payload: new Uint8Array(0),
      }),
    );
  }
  receive(encodeFrame({ kind: Kind.DATA, streamId: 1, flags: Flag.MORE, payload: part }));
  receive(encodeFrame({ kind: Kind.DATA, streamId: 3, flags: Flag.MORE, payload: part }));
  expect(session.closedBy).toBeUndefined();
  receive(encodeFrame({ kind: Kind.DATA, streamId: 5, flags: Flag.MORE, payload: part }));
  expect(session.closedBy?.message).toContain("callBytes");
});

// Who drained before the peer's Hello never said so, and the peer's calls were swallowed.
test("a peer that introduces itself while we drain is told", () => {
  const acceptor = acceptorOf(DEFAULT_LIMITS);
  acceptor.session.drain();
  introduce(acceptor);
  acceptor.session.flush();
  expect(acceptor.link.sent.map(({ kind }) => kind)).toContain(Kind.DRAIN);
});

// Protobuf writes a negative number as ten bytes, which ended the link.
test("a negative code is UNKNOWN", () => {
  const minusOne = Uint8Array.from([0x08, ...Array<number>(9).fill(0xff), 0x01, 0x12, 0x02, 0x68, 0x69]);
  expect(decodeStatus(minusOne, 0, minusOne.length)).toMatchObject({ code: 2, message: "hi" });
});
