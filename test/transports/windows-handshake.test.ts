import { describe, expect, it } from "vitest";
import { proofOf } from "../../transports/pipe/windows-handshake.js";
import { parsePipe, pipeByPath } from "../../transports/pipe/windows-place.js";
import { isBelow } from "../../transports/windows-profile.js";

// What is Windows' and needs none. The rest is in test/wine.

describe("the handshake of pipes", () => {
  it("has the proofs of the specification's worked example", () => {
    const token = Uint8Array.from({ length: 32 }, (_value, i) => i);
    const diallers = new Uint8Array(32).fill(0xaa);
    const listeners = new Uint8Array(32).fill(0xbb);
    expect(proofOf("listener", token, diallers, listeners).toString("hex")).toBe(
      "630a60a221916e8e3cc9e751e920ced556be4ccdce95dcac612cab0416e5d84e",
    );
    expect(proofOf("dialler", token, diallers, listeners).toString("hex")).toBe(
      "407cd0caf81e38c161ab15c21280c65c944e13cb96e99f3dca2c010e62964109",
    );
  });
});

describe("the file of a pipe", () => {
  const path = `\\\\.\\pipe\\protoipc-v1-${"0f".repeat(16)}`;
  const token = "01".repeat(32);

  it("is read whatever else it says, and refused unless it names a pipe of this machine and a token", () => {
    expect(parsePipe(JSON.stringify({ path, token, more: 1 }))).toEqual({
      path,
      token: Buffer.from(token, "hex"),
    });
    for (const text of [
      "",
      "1",
      "null",
      "[]",
      JSON.stringify({ path }),
      JSON.stringify({ token }),
      JSON.stringify({ path, token: token.slice(2) }),
      JSON.stringify({ path: path.replace("\\\\.", "\\\\elsewhere"), token }),
      JSON.stringify({ path: `${path}\\..\\x`, token }),
      JSON.stringify({ path: path.toUpperCase(), token }),
    ]) {
      expect(parsePipe(text)).toBeUndefined();
    }
  });

  it("is not needed for a pipe that is given by its path, which is one of this machine", () => {
    expect(pipeByPath("\\\\.\\pipe\\market")).toEqual({ path: "\\\\.\\pipe\\market", token: undefined });
    for (const other of [
      "\\\\elsewhere\\pipe\\market",
      "\\\\.\\pipe\\",
      "\\\\.\\pipe\\a\\b",
      "C:\\market",
      `\\\\.\\pipe\\${"x".repeat(300)}`,
    ]) {
      expect(() => pipeByPath(other)).toThrowError(/is no pipe/);
    }
  });
});

describe("a profile", () => {
  it("holds what lies below it, whatever the letters' case", () => {
    expect(isBelow("C:\\Users\\me", "c:\\users\\ME\\AppData")).toBe(true);
    for (const path of [
      "C:\\Users\\me",
      "C:\\Users",
      "C:\\Users\\mellow",
      "C:\\Users\\me\\..\\you",
      "D:\\Users\\me\\x",
      "\\\\host\\share\\x",
    ]) {
      expect(isBelow("C:\\Users\\me", path)).toBe(false);
    }
  });
});
