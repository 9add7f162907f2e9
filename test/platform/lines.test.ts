import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CUT_MARK, Lines, MAX_LINE_BYTES } from "../../platform/lines.js";

/** The lines of a text that comes in pieces of so many bytes. */
function linesOf(text: string | Uint8Array, pieceBytes = Number.POSITIVE_INFINITY): string[] {
  const told: string[] = [];
  const lines = new Lines((line) => told.push(line));
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = bytes.slice(at, at + pieceBytes);
    lines.push(piece);
    // Whoever kept what it was given sees this.
    piece.fill(0xaa);
  }
  lines.end();
  return told;
}

function bytesOf(line: string): number {
  return new TextEncoder().encode(line.endsWith(CUT_MARK) ? line.slice(0, -CUT_MARK.length) : line).length;
}

describe("lines", () => {
  it("end with a line feed, or a carriage return before one, wherever the chunks end", () => {
    const text = "one\r\ntwo\n\r\n\nthree\rthree\r\r\nfour ü€😀\nlast\r";
    const lines = ["one", "two", "", "", "three\rthree\r", "four ü€😀", "last"];
    for (const pieceBytes of [1, 2, 3, 7, 1_000]) expect(linesOf(text, pieceBytes)).toEqual(lines);
    expect(linesOf("")).toEqual([]);
    expect(linesOf("\n")).toEqual([""]);
  });

  it("are cut where they have more bytes than they may, between characters, and say so", () => {
    const text = fc.array(fc.constantFrom("a", "ü", "€", "😀"), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(text, fc.nat(30_000), fc.integer({ min: 1, max: 20_000 }), (characters, size, piece) => {
        const line = characters.join("").repeat(1 + Math.floor(size / bytesOf(characters.join(""))));
        const told = linesOf(`${line}\r\nnext\n`, piece);
        expect(told.pop()).toBe("next");
        const pieces = told.map((part) => part.replace(CUT_MARK, ""));
        expect(pieces.join("")).toBe(line);
        expect(told.slice(0, -1).every((part) => part.endsWith(CUT_MARK))).toBe(true);
        expect(told.at(-1)!.endsWith(CUT_MARK)).toBe(false);
        for (const part of pieces) expect(bytesOf(part)).toBeLessThanOrEqual(MAX_LINE_BYTES);
        for (const part of pieces.slice(0, -1)) expect(bytesOf(part)).toBeGreaterThan(MAX_LINE_BYTES - 4);
      }),
      { numRuns: 50 },
    );
  });

  it("of just so many bytes are whole, however they end", () => {
    const line = "x".repeat(MAX_LINE_BYTES);
    for (const end of ["", "\n", "\r\n", "\r"]) {
      for (const pieceBytes of [MAX_LINE_BYTES, 100_000])
        expect(linesOf(line + end, pieceBytes)).toEqual([line]);
      expect(linesOf(`${line}y${end}`)).toEqual([line + CUT_MARK, "y"]);
    }
  });

  it("that are no text are told all the same", () => {
    const told = linesOf(new Uint8Array(20_000).fill(0x80));
    expect(told).toHaveLength(3);
    expect(told.at(-1)).toMatch(/^�+$/);
  });
});
