import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { create, type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, test } from "vitest";
import { beginWriting } from "../../runtime/codec/inplace/writer.js";
import { generateInPlacePairs, type InPlacePair } from "../codec/inplace-pairs.js";
import {
  emptyOutputFolder,
  listFiles,
  protoc,
  protoFiles,
  repository,
  schemas,
  typeCheck,
  withTemporaryDirectory,
} from "./compile.js";

const timeout = 120_000;
const root = join(schemas, "in-place");
const options = ["import_extension=js", "codec_messages=all", "in_place=true"];

describe("names that clash", { timeout }, () => {
  let clashes: InPlacePair;
  beforeAll(async () => {
    const pairs = await generateInPlacePairs(root, protoFiles(root), await emptyOutputFolder("in-place"));
    clashes = pairs.find(({ desc }) => desc.typeName === "test.inplace.Clashes")!;
  });

  test("get a dollar sign: fields have theirs first, then methods in the order of the fields", () => {
    const names = Object.getOwnPropertyNames(clashes.writer.prototype);
    expect(names).toEqual([
      "constructor",
      "pixels",
      "reservePixels$",
      "trimPixels",
      "reservePixels",
      "setDetail$",
      "setDetail",
      "addLegs$",
      "setLegs$",
      "addLegs",
      "reserveAddLegs",
      "trimAddLegs",
      "setLegs",
      "putLabels$",
      "putLabels",
      "hasOwnProperty",
      "constructor$",
      "addAddLegsTwice",
      "span",
      "setMessage",
      "then",
    ]);
    const getters = Object.getOwnPropertyNames(clashes.view.prototype).filter(
      (name) => name !== "constructor",
    );
    expect(getters).toEqual(clashes.desc.members.map(({ localName }) => localName));
  });

  test("and each writes and reads its own field", () => {
    const bytes = new Uint8Array(500);
    const { page, writer } = beginWriting(clashes.writer, bytes);
    const members = writer as unknown as Record<string, unknown>;
    const call = (name: string, ...args: unknown[]): unknown =>
      (members as Record<string, (...given: unknown[]) => unknown>)[name]!.apply(writer, args);
    (call("reservePixels$", 2) as Uint8Array).fill(7);
    members["reservePixels"] = "text";
    call("setDetail$", (detail: Record<string, unknown>) => {
      // biome-ignore lint/suspicious/noThenProperty: a field of that name is what is tested
      detail["then"] = "within";
    });
    members["setDetail"] = 4;
    call("addLegs$", 1);
    call("setLegs$", [2, 3]);
    members["addLegs"] = Uint8Array.of(6);
    members["setLegs"] = 7;
    call("putLabels$", "a", 1);
    members["putLabels"] = true;
    members["hasOwnProperty"] = "own";
    members["constructor$"] = "made";
    call("addAddLegsTwice", "twice");
    members["span"] = 13;
    const desc: DescMessage = clashes.desc;
    const message = create(desc, {
      pixels: Uint8Array.of(7, 7),
      reservePixels: "text",
      // What is not given is looked up in what every object has.
      // biome-ignore lint/suspicious/noThenProperty: a field of that name is what is tested
      detail: { then: "within", hasOwnProperty: "" },
      setDetail: 4,
      legs: [1, 2, 3],
      addLegs: Uint8Array.of(6),
      setLegs: 7,
      labels: { a: 1 },
      putLabels: true,
      hasOwnProperty: "own",
      constructor$: "made",
      addLegsTwice: ["twice"],
      layout: { case: "span", value: 13 },
    } as Record<string, unknown>) as Message;
    expect(fromBinary(desc, bytes.subarray(0, page.pos))).toEqual(message);
    const view = new clashes.view(toBinary(desc, message)) as unknown as Record<string, unknown>;
    for (const { localName } of desc.members) {
      if (localName === "detail") continue;
      expect(view[localName], localName).toEqual((message as unknown as Record<string, unknown>)[localName]);
    }
  });
});

const usage = `
import { open } from "protoipc";
import { ClashesView, ClashesWriter } from "./clashes_inplace.js";

const view: ClashesView = new ClashesView(new Uint8Array(0), 0, 0);
export const detail: ClashesView | undefined = view.detail;
export const legs: number[] = view.legs;
export const span: number | undefined = view.layout.case === "span" ? view.layout.value : undefined;
export const whole: string = view.$bind(new Uint8Array(3)).$decode().$typeName;

export function fill(writer: ClashesWriter): void {
  writer.setDetail = 5;
  writer.setDetail$((inner: ClashesWriter) => {
    inner.setLegs$(new Set([1, 2]));
  });
  const pixels: Uint8Array = writer.reservePixels$(5);
  writer.trimPixels(pixels.length - 1);
  writer.putLabels$("a", 1);
}
void open;
`;
const misuses = [
  "view.detail = view;",
  'writer.setDetail = "5";',
  "writer.setDetail$((inner: string) => void inner);",
  "writer.setLegs$(5);",
  "const wrong: string | undefined = view.layout.value;",
];

describe("classes in place pass the strictest checks", { timeout }, () => {
  test.each([
    ["as TypeScript", "target=ts"],
    ["as JavaScript with declarations", "target=js+dts"],
  ])("%s", async (name, target) => {
    const out = await emptyOutputFolder(`in-place-${target.slice(7)}`);
    const codecs = join(repository, "test/codec/schemas");
    const { stderr } = await protoc(
      [root, codecs],
      [...protoFiles(root), ...protoFiles(codecs)],
      [
        { plugin: "es", out, options: ["target=js+dts", "import_extension=js"] },
        { plugin: "protoipc", out, options: [target, ...options] },
      ],
    );
    expect(stderr, name).toBe("");
    await writeFile(join(out, "usage.ts"), usage);
    expect(await typeCheck(out)).toEqual([]);
    const head = [
      'import type { ClashesView, ClashesWriter } from "./clashes_inplace.js";',
      "declare const view: ClashesView;",
      "declare const writer: ClashesWriter;",
    ];
    await writeFile(join(out, "misuse.ts"), [...head, ...misuses, "export { wrong };"].join("\n"));
    const lines = (await typeCheck(out)).map((error) => Number(/^misuse\.ts\((\d+),/.exec(error)?.[1]));
    expect([...new Set(lines)]).toEqual(misuses.map((_, index) => head.length + 1 + index));
  });
});

describe("the option", { timeout }, () => {
  async function generate(...given: string[]) {
    return await withTemporaryDirectory(async (out) => {
      const { stderr } = await protoc([root], protoFiles(root), [
        { plugin: "protoipc", out, options: given },
      ]);
      return { stderr, files: listFiles(out) };
    });
  }

  test("is off unless it is given", async () => {
    const all = ["target=ts", "codec_messages=all"];
    expect((await generate(...all)).files).toEqual(["clashes_codec.ts"]);
    expect((await generate(...all, "in_place=false")).files).toEqual(["clashes_codec.ts"]);
    expect((await generate(...all, "in_place=true")).files).toEqual([
      "clashes_codec.ts",
      "clashes_inplace.ts",
    ]);
    expect((await generate("target=js+dts", "codec_messages=all", "in_place=1")).files).toEqual([
      "clashes_codec.d.ts",
      "clashes_codec.js",
      "clashes_inplace.d.ts",
      "clashes_inplace.js",
    ]);
  });

  test("is for messages with generated codecs", async () => {
    for (const other of ["codec=reflect", "messages=ts-proto"]) {
      const { stderr, files } = await generate("in_place=true", other);
      expect(stderr).toContain("in_place is true, but no codecs are generated; it is for codec=generated");
      expect(files).toEqual([]);
    }
  });

  test("has two values", async () => {
    const { stderr } = await generate("in_place=ture");
    expect(stderr).toContain('in_place is "ture", did you mean "true"?; known values: true, false, 1, 0');
  });
});
