import { describe, expect, it } from "vitest";
import { checkName, parseAddress } from "../../runtime/address.js";
import { failureIn } from "../harness/failure.js";

describe("parseAddress", () => {
  it("takes a bare name, a name on a transport, and a transport's path", () => {
    expect(parseAddress("market")).toEqual({ kind: "bare", name: "market" });
    expect(parseAddress("unix:market")).toEqual({ kind: "name", scheme: "unix", name: "market" });
    expect(parseAddress("unix:/run/a b.sock")).toEqual({
      kind: "path",
      scheme: "unix",
      path: "/run/a b.sock",
    });
    expect(parseAddress("unix:/run/a:b")).toEqual({ kind: "path", scheme: "unix", path: "/run/a:b" });
    expect(parseAddress("pipe:\\\\.\\pipe\\x")).toEqual({
      kind: "path",
      scheme: "pipe",
      path: "\\\\.\\pipe\\x",
    });
  });

  it("refuses what is neither, naming it", () => {
    for (const text of [
      "",
      "unix:",
      ":market",
      "Unix:market",
      "a/b",
      ".hidden",
      "..",
      "unix:a/b",
      "a b",
      "ü",
      "1a:x",
    ]) {
      const failure = failureIn(() => parseAddress(text));
      expect(failure.code).toBe("INVALID_ARGUMENT");
    }
    expect(failureIn(() => parseAddress("a/b")).message).toContain('"a/b"');
  });
});

describe("checkName", () => {
  it("takes 64 bytes, and names the size and the limit of a longer one", () => {
    expect(checkName("x".repeat(64))).toHaveLength(64);
    expect(failureIn(() => checkName("x".repeat(65))).message).toContain("65 bytes is above the limit of 64");
  });
});
