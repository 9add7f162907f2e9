import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readVarint, varintSize, writePaddedVarint, writeVarint } from "../../../runtime/wire/varint.js";

const value = fc.oneof(fc.maxSafeNat(), fc.nat(), fc.nat(300), fc.constantFrom(...edges()));

/** Each power of two and its neighbours. */
function edges(): number[] {
  const found: number[] = [0, Number.MAX_SAFE_INTEGER];
  for (let bit = 1; bit <= 52; bit++) found.push(2 ** bit - 1, 2 ** bit, 2 ** bit + 1);
  return found;
}

describe("writeVarint", () => {
  it("writes what protobuf-es writes", () => {
    fc.assert(
      fc.property(value, (number) => {
        const bytes = new Uint8Array(12).fill(0xee);
        const end = writeVarint(bytes, 1, number);
        expect(bytes.slice(1, end)).toEqual(new BinaryWriter().uint64(number).finish());
        expect(end - 1).toBe(varintSize(number));
        expect(bytes[end]).toBe(0xee);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("writePaddedVarint", () => {
  it("takes exactly the width, and reads as the same value", () => {
    fc.assert(
      fc.property(value, fc.nat(10), (number, extra) => {
        const width = Math.min(10, varintSize(number) + extra);
        const bytes = new Uint8Array(12).fill(0xee);
        expect(writePaddedVarint(bytes, 1, number, width)).toBe(1 + width);
        expect(bytes[1 + width]).toBe(0xee);
        expect(new BinaryReader(bytes.subarray(1)).uint64()).toBe(
          new BinaryReader(new BinaryWriter().uint64(number).finish()).uint64(),
        );
        const cursor = { offset: 1 };
        expect(readVarint(bytes, cursor, bytes.length)).toBe(number);
        expect(cursor.offset).toBe(1 + width);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("readVarint", () => {
  it("reads what protobuf-es wrote, and nothing of a part of it", () => {
    fc.assert(
      fc.property(value, (number) => {
        const bytes = new BinaryWriter().uint64(number).finish();
        const cursor = { offset: 0 };
        for (let end = 0; end < bytes.length; end++) expect(readVarint(bytes, cursor, end)).toBe(-1);
        expect(cursor.offset).toBe(0);
        expect(readVarint(bytes, cursor, bytes.length)).toBe(number);
        expect(cursor.offset).toBe(bytes.length);
      }),
    );
  });

  it("refuses a varint of eleven bytes and takes one of ten", () => {
    const ten = Uint8Array.of(0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00);
    expect(readVarint(ten, { offset: 0 }, 10)).toBe(1);
    const eleven = Uint8Array.of(0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00);
    expect(readVarint(eleven, { offset: 0 }, 11)).toBe(-1);
  });

  it("tells a value above 2^53 - 1", () => {
    const bytes = new BinaryWriter().uint64(2n ** 53n).finish();
    expect(readVarint(bytes, { offset: 0 }, bytes.length)).toBeGreaterThan(Number.MAX_SAFE_INTEGER);
  });
});
