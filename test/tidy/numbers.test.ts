import { describe, expect, it } from "vitest";
import { Feature as WireFeature, Flag as WireFlag, Kind as WireKind } from "../../gen/protoipc/v1/wire_pb.js";
import { VERSION } from "../../platform/version.js";
import { DEFAULT_LIMITS } from "../../runtime/limits.js";
import { DEFAULT_WIRE_LIMITS } from "../../runtime/wire/hello.js";
import { Feature, Flag, Kind } from "../../runtime/wire/kinds.js";
import { read } from "./sources.js";

interface PackageFile {
  readonly version: string;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** The names and numbers of a generated enum, without its zero. */
function numbersOf(generated: object): Record<string, number> {
  const entries = Object.entries(generated).filter(
    ([name, value]) => typeof value === "number" && name !== "UNSPECIFIED",
  );
  return Object.fromEntries(entries);
}

describe("the wire's numbers", () => {
  it("are those of wire.proto", () => {
    expect(numbersOf(WireKind)).toEqual(Kind);
    expect(numbersOf(WireFlag)).toEqual(Flag);
    expect(numbersOf(WireFeature)).toEqual(Feature);
  });

  it("have the defaults that the comments of wire.proto give", () => {
    const [, limits] = read("proto/protoipc/v1/wire.proto").match(/message Limits \{\n([\s\S]*?)\n\}/)!;
    const told = Array.from(
      limits!.matchAll(/([\d,]+)\.\n {2}uint(?:32|64) (\w+) = (\d+);/g),
      ([, value, name, number]) => ({
        name: name!.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
        number: Number(number),
        value: Number(value!.replaceAll(",", "")),
      }),
    );
    expect(Object.fromEntries(told.map(({ name, value }) => [name, value]))).toEqual(DEFAULT_WIRE_LIMITS);
    // The fields are written in the order of the numbers.
    expect(told.map(({ name }) => name)).toEqual(Object.keys(DEFAULT_WIRE_LIMITS));
    expect(told.map(({ number }) => number)).toEqual(told.map((_, index) => index + 1));
    expect(DEFAULT_LIMITS).toMatchObject(DEFAULT_WIRE_LIMITS);
  });
});

describe("versions", () => {
  const root = JSON.parse(read("package.json")) as PackageFile;
  const codegen = JSON.parse(read("codegen/package.json")) as PackageFile;

  it("are one for both packages and what they say of themselves", () => {
    expect(root.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(codegen.version, "codegen/package.json and package.json").toBe(root.version);
    expect(VERSION, "platform/version.ts and package.json").toBe(root.version);
    expect(read("codegen/src/plugin.ts")).toContain(`VERSION = "${root.version}"`);
  });

  it("of protobuf-es are exact where we build, and within the range that users may have", () => {
    const exact = root.devDependencies?.["@bufbuild/protobuf"];
    expect(exact).toMatch(/^\d+\.\d+\.\d+$/);
    expect(codegen.dependencies?.["@bufbuild/protobuf"]).toBe(exact);
    const range = root.peerDependencies?.["@bufbuild/protobuf"]?.match(/^\^(\d+)\.(\d+)\.\d+$/);
    const [major, minor] = exact!.split(".").map(Number);
    expect(Number(range?.[1])).toBe(major);
    expect(Number(range?.[2])).toBeLessThanOrEqual(minor!);
  });

  it("of everything else that we build with are exact", () => {
    for (const [name, version] of Object.entries({ ...root.devDependencies, ...codegen.dependencies })) {
      expect(version, `${name}: write the exact version, npm takes others than one thinks`).toMatch(
        /^\d+\.\d+\.\d+$/,
      );
    }
  });
});
