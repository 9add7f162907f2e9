import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { TopicKeySchema } from "../../gen/test/v1/echo_pb.js";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { nodeHost } from "../../platform/node-host.js";
import { DEFAULT_LIMITS } from "../../runtime/limits.js";
import { TopicPublisher } from "../../runtime/topic/publisher.js";
import { acceptorOf } from "../runtime/session/array-link.js";
import { DEFAULT_WIRE_LIMITS, encodeFrame, encodeHello, Flag, Kind } from "../../runtime/wire/index.js";

// A refused subscriber whose END waited for the link could send another filter, and then stayed for ever.
test("a refused subscriber stays refused", async () => {
  const acceptor = acceptorOf(DEFAULT_LIMITS);
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
  acceptor.receive(encodeFrame({ kind: Kind.OPEN, streamId: 1, method: Echo.keyed.fullName }));
  const [stream] = acceptor.opened;
  const publisher = new TopicPublisher(Echo.keyed, {
    host: nodeHost(),
    limits: DEFAULT_LIMITS,
    drainTimeoutMs: 100,
    numbers: new Map(),
    onClosed: () => undefined,
  });
  stream!.receiver = publisher.accept(undefined as never, stream!);
  acceptor.link.isFull = true;
  acceptor.receive(encodeFrame({ kind: Kind.DATA, streamId: 1, payload: Uint8Array.of(0xff) }));
  const filter = toBinary(TopicKeySchema, create(TopicKeySchema));
  acceptor.receive(encodeFrame({ kind: Kind.DATA, streamId: 1, flags: Flag.LAST, payload: filter }));
  expect(publisher.subscribers).toBe(0);
  await publisher.close();
});
