import { readFileSync } from "node:fs";
import { PassThrough } from "node:stream";
import { create, createRegistry, fromBinary, fromJson, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { FrameSchema } from "../../gen/protoipc/v1/wire_pb.js";
import { DEFAULT_LIMITS, type Limits } from "../../runtime/limits.js";
import { decodeFrame, encodeFrame, WireError } from "../../runtime/wire/index.js";
import { StreamLink } from "../../transports/stream-link.js";
import type { LinkEnd } from "../../transports/transport.js";
import { frameFromMessage, messageFromFrame } from "../runtime/wire/frame-message.js";
import { acceptorOf } from "../runtime/session/array-link.js";
import { frameToJson, goodFramesFile, sessionsFile } from "./generate.js";

/** What every vector has: a reason where it must be refused, else a description. */
interface Vector {
  readonly name: string;
  readonly description?: string;
  readonly reason?: string;
  readonly accepted?: boolean;
}
interface FrameVector {
  readonly name: string;
  readonly hex: string;
  readonly json: JsonValue;
}
interface RejectVector {
  readonly name: string;
  readonly reason: string;
  readonly hex: string;
}
interface StreamVector {
  readonly name: string;
  readonly hex: string;
  readonly accepted: boolean;
  readonly records?: readonly string[];
}
interface SessionVector {
  readonly name: string;
  readonly accepted: boolean;
  readonly records: readonly string[];
}

const registry = createRegistry(StringValueSchema);

function text(file: string): string {
  return readFileSync(new URL(file, sourceFolder()), "utf8");
}

/** The vectors lie beside the source of this file, wherever it is run from. */
function sourceFolder(): URL {
  return new URL(`file://${process.cwd()}/test/vectors/`);
}

function load<T>(file: string): T[] {
  return JSON.parse(text(file)) as T[];
}

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"));
}

describe("every file", () => {
  const files = ["frames-good", "frames-odd", "frames-reject", "streams", "sessions"];

  it.each(files)("%s.json names its vectors, and says of each what it is for", (file) => {
    const vectors = load<Vector>(`${file}.json`);
    expect(new Set(vectors.map(({ name }) => name)).size).toBe(vectors.length);
    for (const { name, description, reason, accepted = file !== "frames-reject" } of vectors) {
      const [wanted, other] = accepted ? [description, reason] : [reason, description];
      expect(wanted, name).toMatch(/\.$/);
      expect(other, name).toBeUndefined();
    }
  });
});

describe("good frames", () => {
  it("are fresh: protobuf's own code writes the same today", () => {
    expect(text("frames-good.json")).toBe(goodFramesFile());
  });

  for (const { name, hex, json } of load<FrameVector>("frames-good.json")) {
    it(name, () => {
      const wanted = fromJson(FrameSchema, json, { registry });
      const frame = decodeFrame(bytesOf(hex));
      expect(frame).toEqual(frameFromMessage(wanted));
      expect(frameToJson(messageFromFrame(frame))).toEqual(json);
      expect(Buffer.from(encodeFrame(frame)).toString("hex")).toBe(hex);
    });
  }
});

describe("odd frames", () => {
  for (const { name, hex, json } of load<FrameVector>("frames-odd.json")) {
    it(name, () => {
      const wanted = fromJson(FrameSchema, json, { registry });
      expect(decodeFrame(bytesOf(hex))).toEqual(frameFromMessage(wanted));
      // What protobuf's own code reads in it, without the fields that it does not know.
      expect(frameToJson(fromBinary(FrameSchema, bytesOf(hex), { readUnknownFields: false }))).toEqual(json);
    });
  }
});

describe("frames to be rejected", () => {
  for (const { name, hex, reason } of load<RejectVector>("frames-reject.json")) {
    it(`${name}: ${reason}`, () => {
      expect(() => decodeFrame(bytesOf(hex))).toThrow(WireError);
    });
  }
});

describe("byte streams", () => {
  for (const { name, hex, accepted, records } of load<StreamVector>("streams.json")) {
    it(name, async () => {
      const { end, received } = await readStream(bytesOf(hex));
      expect(end.kind).toBe(accepted ? "peer" : "protocol");
      if (records !== undefined) expect(received).toEqual(records);
    });
  }
});

/** What a stream link makes of the bytes, and of their end. */
async function readStream(bytes: Uint8Array): Promise<{ readonly end: LinkEnd; readonly received: string[] }> {
  const incoming = new PassThrough();
  const outgoing = new PassThrough();
  outgoing.resume();
  const received: string[] = [];
  const link = new StreamLink({
    incoming,
    outgoing,
    info: { transport: "vectors", location: "", reason: "", fragmentBytes: 65_536 },
    peer: { pid: undefined, uid: undefined, gid: undefined, verifiedBy: "nobody" },
    limits: { maxRecordBytes: 2_048, frameTimeoutMs: 10_000, sendBufferBytes: 65_536 },
  });
  const end = new Promise<LinkEnd>((resolve) => {
    link.start({
      onRecord: (record, from, to) => received.push(Buffer.from(record.subarray(from, to)).toString("hex")),
      onWritable: () => undefined,
      onClose: resolve,
    });
  });
  incoming.end(bytes);
  return { end: await end, received };
}

/** As test/vectors/README.md says. */
const SESSION_LIMITS: Limits = {
  ...DEFAULT_LIMITS,
  maxMessageBytes: 1_024,
  maxHeaderBytes: 1_024,
  maxMetadataBytes: 100,
  maxCalls: 3,
  callBytes: 2_000,
  initialMessages: 2,
  initialBytes: 200,
  oneWayMessages: 2,
  oneWayBytes: 100,
  maxMethods: 4,
};

describe("sessions", () => {
  it("are fresh: protobuf's own code writes the same today", () => {
    expect(text("sessions.json")).toBe(sessionsFile());
  });

  for (const { name, accepted, records } of load<SessionVector>("sessions.json")) {
    it(`${accepted ? "accepts" : "rejects"} ${name}`, () => {
      const { session, receive } = acceptorOf(SESSION_LIMITS);
      for (const record of records) receive(bytesOf(record));
      if (accepted) {
        expect(session.closedBy).toBeUndefined();
        expect(session.peer).toBeDefined();
      } else {
        expect(session.closedBy?.code).toMatch(/^(INTERNAL|FAILED_PRECONDITION)$/);
      }
    });
  }
});

it("the messages made for comparison are whole", () => {
  const empty = create(FrameSchema);
  expect(toBinary(FrameSchema, messageFromFrame(frameFromMessage(empty)))).toEqual(new Uint8Array(0));
});
