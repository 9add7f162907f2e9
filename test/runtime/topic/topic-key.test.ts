import { describe, expect, it } from "vitest";
import { keyIdentity, matchesFilter } from "../../../runtime/topic/topic-key.js";
import { failureIn } from "../../harness/failure.js";

const id = (fields: readonly string[], key: unknown) => keyIdentity("a.B/C", fields, key);

describe("keyIdentity", () => {
  it("is the same for keys that are equal, and another for those that are not", () => {
    const two = ["a", "b"];
    expect(id(two, { a: "x", b: 1 })).toBe(id(two, { b: 1, a: "x" }));
    const different = [
      { a: "a", b: "bc" },
      { a: "ab", b: "c" },
      { a: "", b: "abc" },
      { a: "1:a", b: "" },
      { a: "", b: "1:a" },
      { a: Uint8Array.of(0xcd), b: "c" },
      { a: "a", b: true },
      { a: "a", b: false },
      { a: "a", b: 10n },
      { a: "a", b: 11n },
    ];
    expect(new Set(different.map((key) => id(two, key))).size).toBe(different.length);
  });

  it("compares a single field by its value", () => {
    expect(id(["a"], { a: 5n })).toBe(5n);
    expect(id(["a"], { a: Uint8Array.of(1, 2) })).toBe(id(["a"], { a: Uint8Array.of(1, 2) }));
    expect(id(["a"], { a: Uint8Array.of(1, 2) })).not.toBe(id(["a"], { a: Uint8Array.of(1, 3) }));
    expect(id(["a"], { a: Uint8Array.of(0x12) })).not.toBe(id(["a"], { a: Uint8Array.of(0x01, 0x02) }));
  });

  it("compares objects by their text, as those of 64-bit integers that ts-proto can have", () => {
    const long = (text: string): object => ({ low: 0, high: 0, toString: () => text });
    expect(id(["a"], { a: long("5") })).toBe(id(["a"], { a: long("5") }));
    expect(id(["a"], { a: long("5") })).not.toBe(id(["a"], { a: long("6") }));
    expect(id(["a", "b"], { a: long("5"), b: 1 })).toBe(id(["a", "b"], { a: long("5"), b: 1 }));
    expect(id(["a", "b"], { a: long("5"), b: 1 })).not.toBe(id(["a", "b"], { a: long("6"), b: 1 }));
    expect(matchesFilter(["a"], { a: long("5") }, { a: long("5") })).toBe(true);
    expect(matchesFilter(["a"], { a: long("5") }, { a: long("6") })).toBe(false);
  });

  it("takes null for a field that is not set", () => {
    expect(failureIn(() => id(["a", "b"], { a: "x", b: null })).message).toContain(
      "the key's field b is not",
    );
    expect(failureIn(() => id(["a"], { a: null })).message).toContain("the key's field a is not set");
    expect(matchesFilter(["a", "b"], { a: null, b: 1 }, { a: "x", b: 1 })).toBe(true);
    expect(matchesFilter(["a", "b"], { a: null, b: 2 }, { a: "x", b: 1 })).toBe(false);
  });

  it("names a field that is not set, also where the prototype has a default", () => {
    const key: object = Object.create({ b: "default" });
    Object.assign(key, { a: "x" });
    const failure = failureIn(() => id(["a", "b"], key));
    expect(failure).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(failure.message).toContain("a.B/C: the key's field b is not set");
    expect(failureIn(() => id(["a"], { a: undefined })).message).toContain("field a");
  });

  it("refuses what is no message", () => {
    expect(failureIn(() => id(["a"], undefined)).message).toContain("the key is undefined, not a message");
    expect(failureIn(() => id(["a"], null)).message).toContain("null");
    expect(failureIn(() => id(["a"], "text")).message).toContain("string");
  });
});

describe("matchesFilter", () => {
  const fields = ["a", "b", "c"];
  const key = { a: "x", b: Uint8Array.of(1, 2), c: 7n };

  it("compares the fields that the filter sets, and no others", () => {
    expect(matchesFilter(fields, {}, key)).toBe(true);
    expect(matchesFilter(fields, { a: "x" }, key)).toBe(true);
    expect(matchesFilter(fields, { a: "x", b: Uint8Array.of(1, 2), c: 7n }, key)).toBe(true);
    expect(matchesFilter(fields, { a: undefined, c: 7n }, key)).toBe(true);
    expect(matchesFilter(fields, { a: "" }, key)).toBe(false);
    expect(matchesFilter(fields, { b: Uint8Array.of(1) }, key)).toBe(false);
    expect(matchesFilter(fields, { b: Uint8Array.of(1, 3) }, key)).toBe(false);
    expect(matchesFilter(fields, { a: "x", c: 8n }, key)).toBe(false);
  });

  it("knows a number that is no number, and zero with a sign", () => {
    expect(matchesFilter(["n"], { n: Number.NaN }, { n: Number.NaN })).toBe(true);
    expect(matchesFilter(["n"], { n: 0 }, { n: -0 })).toBe(true);
  });
});
