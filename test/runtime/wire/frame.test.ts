import { isDeepStrictEqual } from "node:util";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as generated from "../../../gen/protoipc/v1/wire_pb.js";
import { decodeFrame, encodeFrame, Feature, Flag, Kind, WireError } from "../../../runtime/wire/index.js";
import { RecordReader } from "../../../runtime/wire/record-reader.js";
import { RecordWriter } from "../../../runtime/wire/record-writer.js";
import { anyFrame } from "./frame-arbitrary.js";
import { frameFromMessage, messageFromFrame } from "./frame-message.js";

const { FrameSchema } = generated;

/** As `toEqual`, which takes long for long arrays and is asked only for what it says. */
function expectSame(actual: unknown, wanted: unknown): void {
  if (!isDeepStrictEqual(actual, wanted)) expect(actual).toEqual(wanted);
}

describe("the frame codec", () => {
  it("has the numbers of wire.proto", () => {
    const numbers = (names: object): [string, number][] => Object.entries(names);
    for (const [name, value] of numbers(Kind)) expect(generated.Kind[value]).toBe(name);
    for (const [name, value] of numbers(Flag)) expect(generated.Flag[value]).toBe(name);
    for (const [name, value] of numbers(Feature)) expect(generated.Feature[value]).toBe(name);
    // Each enum of wire.proto has one more, its zero; and TypeScript's enums are listed both ways.
    expect(Object.keys(generated.Kind)).toHaveLength(2 * (Object.keys(Kind).length + 1));
    expect(Object.keys(generated.Flag)).toHaveLength(2 * (Object.keys(Flag).length + 1));
    expect(Object.keys(generated.Feature)).toHaveLength(2 * (Object.keys(Feature).length + 1));
  });

  it("reads what it wrote", () => {
    fc.assert(
      fc.property(anyFrame, (frame) => {
        expectSame(decodeFrame(encodeFrame(frame)), frame);
      }),
      { numRuns: 300 },
    );
  });

  it("writes the bytes that protobuf's own code writes", () => {
    fc.assert(
      fc.property(anyFrame, (frame) => {
        expectSame(encodeFrame(frame), toBinary(FrameSchema, messageFromFrame(frame)));
      }),
      { numRuns: 300 },
    );
  });

  it("reads what protobuf's own code wrote, and the other way round", () => {
    fc.assert(
      fc.property(anyFrame, (frame) => {
        expectSame(decodeFrame(toBinary(FrameSchema, messageFromFrame(frame))), frame);
        expectSame(frameFromMessage(fromBinary(FrameSchema, encodeFrame(frame))), frame);
      }),
      { numRuns: 300 },
    );
  });

  it("reads a frame in the middle of other bytes, and keeps no view of them", () => {
    fc.assert(
      fc.property(anyFrame, fc.nat(9), fc.nat(9), (frame, before, after) => {
        const encoded = encodeFrame(frame);
        const bytes = new Uint8Array(before + encoded.length + after).fill(0xff);
        bytes.set(encoded, before);
        const decoded = decodeFrame(bytes, before, before + encoded.length);
        bytes.fill(0x55);
        expectSame(decoded, frame);
      }),
      { numRuns: 200 },
    );
  });

  it("makes a frame or a WireError of any bytes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), isReadOrRefused), { numRuns: 2_000 });
  });

  it("makes a frame or a WireError of any frame of which bytes were changed, and protobuf's own code agrees", () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(anyFrame, changes, (frame, list) => {
        const bytes = encodeFrame(frame);
        for (const [at, value] of list) if (bytes.length > 0) bytes[at % bytes.length] = value;
        isReadOrRefused(bytes);
      }),
      { numRuns: 500 },
    );
  });

  it("makes a frame or a WireError of any frame that is cut off", () => {
    fc.assert(
      fc.property(anyFrame, fc.nat(), (frame, length) => {
        const bytes = encodeFrame(frame);
        isReadOrRefused(bytes.subarray(0, length % (bytes.length + 1)));
      }),
      { numRuns: 500 },
    );
  });

  it("allocates nothing for what a length only claims", () => {
    const claims = Uint8Array.of(0x08, 0x04, 0x7a, 0xff, 0xff, 0xff, 0xff, 0x07, 1, 2, 3);
    for (let i = 0; i < 1_000; i++)
      expect(() => decodeFrame(claims)).toThrow("field 15: 2147483647 bytes are claimed");
  });
});

/** Where bytes are read, protobuf's own code reads the same in them. */
function isReadOrRefused(bytes: Uint8Array): void {
  let frame: ReturnType<typeof decodeFrame>;
  try {
    frame = decodeFrame(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(WireError);
    return;
  }
  // It merges a status that comes twice, where ours takes the last; everything else is equal.
  const message = frameFromMessage(fromBinary(FrameSchema, bytes));
  expectSame({ ...frame, status: undefined }, { ...message, status: undefined });
}

describe("frames on a byte stream", () => {
  it("come out equal for any list of frames and any split", () => {
    const cuts = fc.array(fc.nat(), { maxLength: 30 });
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 6 }), cuts, (frames, places) => {
        const stream = streamOf(frames.map((frame) => encodeFrame(frame)));
        const received: ReturnType<typeof decodeFrame>[] = [];
        const reader = new RecordReader(1_000_000, (bytes, start, end) =>
          received.push(decodeFrame(bytes, start, end)),
        );
        const all = [...new Set([0, ...places.map((place) => place % (stream.length + 1)), stream.length])];
        all.sort((a, b) => a - b);
        for (let i = 1; i < all.length; i++) {
          const part = stream.slice(all[i - 1], all[i]);
          expect(reader.push(part, 0, part.length)).toBeUndefined();
          part.fill(0xaa);
        }
        expectSame(received, frames);
      }),
      { numRuns: 200 },
    );
  });
});

/** The records as a link would write them. */
function streamOf(records: readonly Uint8Array[]): Uint8Array {
  const written: Uint8Array[] = [];
  const writer = new RecordWriter({
    sendBufferBytes: 1_000_000,
    write: (bytes, start, end) => written.push(bytes.slice(start, end)),
    onWritable: () => undefined,
  });
  for (const record of records) {
    // Twice the room, as where the size is a guess: the length is then padded.
    const slot = writer.reserve(record.length * 2)!;
    slot.bytes.set(record, slot.start);
    writer.commit(record.length);
  }
  writer.flush();
  return new Uint8Array(Buffer.concat(written));
}
