import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, it } from "vitest";
import { FrameSchema } from "../../../gen/protoipc/v1/wire_pb.js";
import { FrameHead, readFrameHead } from "../../../runtime/wire/frame-head.js";
import {
  metadataContentBytes,
  metadataSize,
  readMetadata,
  writeMetadata,
} from "../../../runtime/wire/metadata.js";

const entries = fc.array(
  fc.record({ key: fc.string({ minLength: 1, maxLength: 30 }), value: fc.uint8Array({ maxLength: 300 }) }),
  { maxLength: 6 },
);

it("writes as many bytes as it says, which are those of protobuf's own code, and reads them", () => {
  fc.assert(
    fc.property(entries, (metadata) => {
      const bytes = new Uint8Array(metadataSize(metadata));
      expect(writeMetadata(bytes, 0, metadata)).toBe(bytes.length);
      expect(bytes).toEqual(toBinary(FrameSchema, create(FrameSchema, { metadata })));
      const head = new FrameHead();
      readFrameHead(head, bytes, 0, bytes.length);
      expect(readMetadata(head)).toEqual(metadata);
    }),
  );
});

it("counts the bytes of keys and values, and 32 for each pair", () => {
  const metadata = [
    { key: "ab", value: Uint8Array.of(1, 2, 3) },
    { key: "ö", value: new Uint8Array(0) },
  ];
  expect(metadataContentBytes(metadata)).toBe(7 + 64);
});
