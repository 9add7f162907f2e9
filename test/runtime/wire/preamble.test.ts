import { describe, expect, it } from "vitest";
import {
  continuesPreamble,
  describeMismatch,
  PREAMBLE,
  PROTOCOL_MAJOR,
} from "../../../runtime/wire/preamble.js";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe("the preamble", () => {
  it("is eight fixed bytes, the last of which is the major version", () => {
    expect(Array.from(PREAMBLE)).toEqual([0x89, 0x69, 0x70, 0x63, 0x0d, 0x0a, 0x1a, 0x01]);
    expect(PROTOCOL_MAJOR).toBe(1);
  });

  it("is recognised in any two parts, and only unchanged", () => {
    for (let split = 0; split <= PREAMBLE.length; split++) {
      expect(continuesPreamble(PREAMBLE, 0, split, 0)).toBe(true);
      expect(continuesPreamble(PREAMBLE, split, PREAMBLE.length, split)).toBe(true);
    }
    for (let at = 0; at < PREAMBLE.length; at++) {
      const changed = PREAMBLE.slice();
      changed[at]! ^= 0x20;
      expect(continuesPreamble(changed, 0, changed.length, 0)).toBe(false);
    }
    expect(continuesPreamble(Uint8Array.of(...PREAMBLE, 0), 0, 9, 0)).toBe(false);
  });
});

describe("describeMismatch", () => {
  it.each([
    ["PRI * HTTP/2.0\r\n", "50 52 49 20 2a 20 48 54", "HTTP/2"],
    ["GET / HTTP/1.1\r\n", "47 45 54 20 2f 20 48 54", "HTTP/1"],
    ["hello\n", "68 65 6c 6c 6f 0a", "a line of text"],
  ])("says that %j looks like something else", (sent, hex, hint) => {
    expect(describeMismatch(text(sent))).toBe(
      `the peer's first bytes are ${hex}, not the preamble 89 69 70 63 0d 0a 1a 01; it looks like ${hint}${hint === "HTTP/2" ? " (gRPC)" : ""}`,
    );
  });

  it("knows TLS, and says nothing of what it does not know", () => {
    expect(describeMismatch(Uint8Array.of(0x16, 0x03, 0x01))).toContain("TLS");
    expect(describeMismatch(Uint8Array.of(0x00, 0xff))).toBe(
      "the peer's first bytes are 00 ff, not the preamble 89 69 70 63 0d 0a 1a 01",
    );
  });

  it("names the versions when only they differ", () => {
    const other = PREAMBLE.slice();
    other[7] = 2;
    expect(describeMismatch(other)).toBe(
      "the peer speaks major version 2 of the protocol, this side speaks 1",
    );
  });
});
