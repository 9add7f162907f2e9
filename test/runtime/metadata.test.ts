import { describe, expect, it } from "vitest";
import { Metadata } from "../../runtime/metadata.js";
import { fromWire, toWire } from "../../runtime/metadata-wire.js";
import { DEFAULT_WIRE_LIMITS } from "../../runtime/wire/hello.js";
import { failureIn } from "../harness/failure.js";

describe("Metadata", () => {
  it("is made of a record, of pairs and of other metadata", () => {
    const pairs = [
      ["a", "1"],
      ["A", "2"],
    ] as const;
    expect([...new Metadata({ a: "1", B: "2" })]).toEqual([
      ["a", "1"],
      ["b", "2"],
    ]);
    expect(new Metadata(pairs).getAll("a")).toEqual(["1", "2"]);
    const copy = new Metadata(new Metadata(pairs));
    copy.delete("a");
    expect(copy.size).toBe(0);
    expect(new Metadata().size).toBe(0);
  });

  it("finds, replaces, adds and deletes whatever the case", () => {
    const metadata = new Metadata({ key: "1" });
    metadata.append("KEY", "2");
    expect(metadata.get("Key")).toBe("1");
    metadata.set("kEy", "3");
    expect(metadata.getAll("key")).toEqual(["3"]);
    expect(metadata.has("KEY")).toBe(true);
    metadata.delete("Key");
    expect(metadata.has("key")).toBe(false);
    expect(metadata.get("key")).toBeUndefined();
  });

  it("refuses keys and values that cannot travel", () => {
    const metadata = new Metadata();
    for (const key of ["", "a b", "ü", "a:b", "a\n"]) {
      expect(failureIn(() => metadata.set(key, "x")).code).toBe("INVALID_ARGUMENT");
    }
    for (const value of ["ü", "a\nb", "\u007f"]) {
      expect(failureIn(() => metadata.set("key", value)).message).toContain("metadata key");
    }
    expect(failureIn(() => metadata.set("key", Uint8Array.of(1))).code).toBe("INVALID_ARGUMENT");
    expect(failureIn(() => metadata.set("key-bin", "text")).code).toBe("INVALID_ARGUMENT");
    expect(metadata.size).toBe(0);
  });
});

describe("metadata on the wire", () => {
  it("goes there and back", () => {
    const metadata = new Metadata([
      ["text", "plain ~"],
      ["data-bin", Uint8Array.of(0, 255)],
      ["text", ""],
    ]);
    expect([...fromWire(toWire(metadata, DEFAULT_WIRE_LIMITS))]).toEqual([...metadata]);
    expect(toWire(undefined, DEFAULT_WIRE_LIMITS)).toEqual([]);
  });

  it("leaves out what could not have been sent", () => {
    const entries = [
      { key: "Bad Key", value: Uint8Array.of(65) },
      { key: "good", value: Uint8Array.of(65) },
      { key: "text", value: Uint8Array.of(200) },
    ];
    expect([...fromWire(entries)]).toEqual([["good", "A"]]);
  });

  it("is refused above the receiver's limits, which are named", () => {
    const limits = { ...DEFAULT_WIRE_LIMITS, maxMetadataBytes: 42 };
    expect(toWire({ key: "1234567" }, limits)).toHaveLength(1);
    const content = failureIn(() => toWire({ key: "12345678" }, limits));
    expect(content.message).toContain(
      "metadata of 43 bytes is above the receiver's limit of 42 bytes (maxMetadataBytes)",
    );
    const small = { ...DEFAULT_WIRE_LIMITS, maxHeaderBytes: 1_024 };
    expect(failureIn(() => toWire({ key: "x".repeat(300) }, small)).message).toContain(
      "1024 bytes (maxHeaderBytes)",
    );
    expect(toWire({ key: "x".repeat(10_000) }, undefined)).toHaveLength(1);
  });
});
