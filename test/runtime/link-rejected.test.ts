import { create, toBinary } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { FrameSchema, HelloSchema, Kind } from "../../gen/protoipc/v1/wire_pb.js";
import type { Endpoint, IpcError } from "../../index.js";
import { memoryTransport } from "../../transports/memory/index.js";
import type { Link, LinkEnd } from "../../transports/transport.js";
import { gate } from "../harness/gate.js";
import { settled } from "../harness/until.js";
import { makeWorld } from "../harness/world.js";

const world = makeWorld("memory");

interface RawPeer {
  readonly server: Endpoint;
  /** What `linkRejected` was raised with. */
  readonly rejected: IpcError[];
  readonly link: Link;
  readonly end: Promise<LinkEnd>;
}

/** An endpoint, and a link to it over which the test says what it likes. */
async function rawPeer(): Promise<RawPeer> {
  const path = world.newPath();
  const server = await world.open({ listen: [`memory:${path}`] });
  const rejected: IpcError[] = [];
  server.on("linkRejected", (reason) => rejected.push(reason));
  const linkLimits = { maxRecordBytes: 1_000_000, frameTimeoutMs: 30_000, sendBufferBytes: 100_000 };
  const link = await memoryTransport().dial({ kind: "path", path }, linkLimits, undefined);
  const end = gate<LinkEnd>();
  link.start({ onRecord: () => undefined, onWritable: () => undefined, onClose: end.open });
  await settled();
  return { server, rejected, link, end: end.promise };
}

function send(link: Link, init: Parameters<typeof create<typeof FrameSchema>>[1]): void {
  const frame = toBinary(FrameSchema, create(FrameSchema, init));
  const slot = link.reserve(frame.length)!;
  slot.bytes.set(frame, slot.start);
  link.commit(slot, frame.length);
  link.flush();
}

it("a peer that leaves before it has introduced itself is not rejected", async () => {
  const { server, rejected, link } = await rawPeer();
  link.close();
  await settled();
  expect(rejected).toEqual([]);
  expect(server.counters.linksRejected).toBe(0);
});

it("a peer that breaks the protocol is rejected", async () => {
  const { server, rejected, link, end } = await rawPeer();
  send(link, { kind: Kind.OPEN, streamId: 1n });
  await end;
  expect(rejected).toMatchObject([{ code: "INTERNAL" }]);
  expect(server.counters.linksRejected).toBe(1);
});

it("a peer that says that this side broke the protocol is told of too", async () => {
  const { server, rejected, link, end } = await rawPeer();
  const hello = toBinary(HelloSchema, create(HelloSchema, { minVersion: 1, maxVersion: 1 }));
  send(link, { kind: Kind.HELLO, payload: hello });
  send(link, { kind: Kind.CLOSE, status: { code: 13, message: "protocol error: you did" } });
  await end;
  expect(rejected).toMatchObject([{ code: "INTERNAL", rawMessage: "protocol error: you did" }]);
  expect(server.counters.linksRejected).toBe(1);
});
