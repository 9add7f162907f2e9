import { fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StatusSchema } from "../../../gen/protoipc/v1/wire_pb.js";
import { WireError } from "../../../runtime/wire/index.js";
import { decodeStatus, encodeStatus } from "../../../runtime/wire/status.js";

const anyStatus = fc.record({
  code: fc.nat(2_147_483_647),
  message: fc.string({ unit: "binary" }),
  details: fc.array(fc.record({ typeUrl: fc.string(), value: fc.uint8Array({ maxLength: 200 }) }), {
    maxLength: 4,
  }),
});

describe("Status", () => {
  it("reads what it wrote, which is what protobuf's own code writes", () => {
    fc.assert(
      fc.property(anyStatus, (status) => {
        const bytes = encodeStatus(status);
        expect(decodeStatus(bytes, 0, bytes.length)).toEqual(status);
        expect(toBinary(StatusSchema, fromBinary(StatusSchema, bytes))).toEqual(bytes);
      }),
    );
  });

  it("shares no memory with what it was read from", () => {
    const status = { code: 3, message: "m", details: [{ typeUrl: "t/a", value: Uint8Array.of(1, 2, 3) }] };
    const bytes = encodeStatus(status);
    const decoded = decodeStatus(bytes, 0, bytes.length);
    bytes.fill(0);
    expect(decoded).toEqual(status);
  });

  it("makes a status or a WireError of any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        try {
          decodeStatus(bytes, 0, bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
