import { isDeepStrictEqual } from "node:util";
import { join } from "node:path";
import { fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import {
  beginWriting,
  checkRequired,
  endWriting,
  type MessageWriter,
} from "../../runtime/codec/inplace/writer.js";
import { IpcError } from "../../runtime/error.js";
import { emptyOutputFolder, protoFiles, repository } from "../codegen/compile.js";
import { failureIn } from "../harness/failure.js";
import { generateInPlacePairs, type InPlacePair } from "./inplace-pairs.js";
import { messageArbitrary } from "./message-arbitrary.js";
import { writeMessage } from "./write-by-writer.js";

const schemas = join(repository, "test/codec/schemas");
const seeds = [1, Date.now() & 0x3fff_ffff];
const RUNS = 25;
let pairs: InPlacePair[];

beforeAll(async () => {
  const out = await emptyOutputFolder("writers");
  pairs = await generateInPlacePairs(schemas, protoFiles(schemas), out);
}, 60_000);

function set(writer: MessageWriter, name: string, value: unknown): void {
  (writer as unknown as Record<string, unknown>)[name] = value;
}

function call(writer: MessageWriter, name: string, ...args: unknown[]): unknown {
  return (writer as unknown as Record<string, (...given: unknown[]) => unknown>)[name]!(...args);
}

/** A writer over so many bytes, what it has written, and that decoded. */
function begin(typeName: string, roomBytes = 1_000) {
  const found = pairs.find(({ desc }) => desc.typeName === typeName)!;
  const bytes = new Uint8Array(roomBytes).fill(0xee);
  const { page, writer } = beginWriting(found.writer, bytes);
  const written = (): Uint8Array => bytes.subarray(0, page.pos);
  const decoded = (): Record<string, unknown> =>
    fromBinary(found.desc, written()) as unknown as Record<string, unknown>;
  return { page, writer, written, decoded };
}

/** The message as protobuf-es reads it back, without what no writer writes. */
function expected({ desc }: InPlacePair, message: Message): Message {
  return fromBinary(desc, toBinary(desc, message), { readUnknownFields: false });
}

describe("what is written by setters decodes to the same message", { timeout: 300_000 }, () => {
  test("of every type", () => {
    for (const seed of seeds) {
      for (const [index, pair] of pairs.entries()) {
        const property = fc.property(
          messageArbitrary(pair.desc),
          fc.infiniteStream(fc.boolean()),
          (message, choices) => {
            const choose = (): boolean => choices.next().value as boolean;
            const size = toBinary(pair.desc, message).length;
            const bytes = new Uint8Array(20 * size + 4_000).fill(0xee);
            const { page, writer } = beginWriting(pair.writer, bytes);
            writeMessage(writer, pair.desc, message, choose);
            checkRequired(writer);
            const read = fromBinary(pair.desc, bytes.subarray(0, page.pos));
            if (!isDeepStrictEqual(read, expected(pair, message)))
              throw new Error(
                `${pair.desc.typeName}: ${Buffer.from(bytes.subarray(0, page.pos)).toString("hex")}`,
              );
          },
        );
        fc.assert(property, { numRuns: RUNS, seed: seed + index, endOnFailure: true });
      }
    }
  });

  test("or says that there is no room, and writes nothing outside of it", () => {
    let refused = 0;
    for (const [index, pair] of pairs.entries()) {
      const property = fc.property(messageArbitrary(pair.desc), fc.nat(), (message, cut) => {
        const size = toBinary(pair.desc, message).length;
        const room = cut % (size + 1);
        const memory = new Uint8Array(room + 100).fill(0xee);
        const { page, writer } = beginWriting(pair.writer, memory.subarray(0, room));
        try {
          writeMessage(writer, pair.desc, message, () => false);
        } catch (error) {
          if (!(error instanceof IpcError) || error.code !== "RESOURCE_EXHAUSTED") throw error;
          refused++;
        }
        if (page.pos > room || page.active !== writer || page.end !== room) throw new Error("not as it was");
        if (memory.subarray(room).some((byte) => byte !== 0xee)) throw new Error("wrote outside of its room");
        // What stands there is whole fields.
        fromBinary(pair.desc, memory.subarray(0, page.pos));
      });
      fc.assert(property, { numRuns: 2 * RUNS, seed: index, endOnFailure: true });
    }
    expect(refused).toBeGreaterThan(100);
  });
});

describe("a writer", () => {
  const SCALARS = "test.codec.v3.Scalars";

  test("names the field, what it needs and what is left", () => {
    const { writer, page, decoded } = begin(SCALARS, 20);
    set(writer, "int32", 5);
    const error = failureIn(() => {
      set(writer, "string", "a text of 23 characters");
    });
    expect(error).toMatchObject({ code: "RESOURCE_EXHAUSTED" });
    expect(String(error)).toContain(
      "test.codec.v3.Scalars.string needs 25 bytes; the loan has room for 18 more",
    );
    expect(page.pos).toBe(2);
    set(writer, "string", "16 characters ..");
    expect(decoded()).toMatchObject({ int32: 5, string: "16 characters .." });
    expect(failureIn(() => call(writer, "reserveBytes", 1)).code).toBe("RESOURCE_EXHAUSTED");
  });

  test.each([
    ["int32", 2_147_483_648],
    ["int32", 1.5],
    ["int32", "5"],
    ["int32", undefined],
    ["uint32", -1],
    ["int64", 5],
    ["int64", 2n ** 63n],
    ["uint64", -1n],
    ["float", 1e300],
    ["bool", 1],
    ["string", 7],
    ["bytes", [1, 2]],
    ["level", "LOW"],
    ["int64Text", "12x"],
    ["uint64Text", "-1"],
  ])("refuses %s %s, by its name", (name, value) => {
    const { writer, page } = begin(SCALARS);
    const error = failureIn(() => {
      set(writer, name, value);
    });
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(String(error)).toContain("test.codec.v3.Scalars.");
    expect(page.pos).toBe(0);
  });

  test("refuses a count of bytes that cannot be", () => {
    const { writer, page } = begin(SCALARS);
    for (const count of [-1, 1.5, Number.NaN, "5", undefined])
      expect(failureIn(() => call(writer, "reserveBytes", count)).code).toBe("INVALID_ARGUMENT");
    expect(page.pos).toBe(0);
  });

  test("counts what is written last", () => {
    const { writer, decoded } = begin("test.codec.v3.Oneofs");
    set(writer, "int32", 5);
    call(writer, "setScalars", (scalars: MessageWriter) => {
      set(scalars, "bool", true);
    });
    set(writer, "between", 1);
    set(writer, "between", 2);
    expect(decoded()).toMatchObject({ between: 2, first: { case: "scalars", value: { bool: true } } });
  });

  test("keeps reserved bytes where they are, whatever follows", () => {
    const { writer, decoded } = begin("test.codec.v3.Node", 100_000);
    const lists = begin("test.codec.v3.Lists", 100_000);
    const reserved: Uint8Array[] = [];
    call(lists.writer, "addScalars", (scalars: MessageWriter) => {
      reserved.push(call(scalars, "reserveBytes", 300) as Uint8Array);
      set(scalars, "string", "after");
    });
    reserved.push(call(lists.writer, "reserveBytes", 5) as Uint8Array);
    call(lists.writer, "setInt32", [1, 2, 3]);
    reserved[0]!.fill(7);
    reserved[1]!.fill(8);
    expect(lists.decoded()).toMatchObject({
      scalars: [{ bytes: new Uint8Array(300).fill(7), string: "after" }],
      bytes: [new Uint8Array(5).fill(8)],
      int32: [1, 2, 3],
    });
    set(writer, "name", "x");
    expect(decoded()).toMatchObject({ name: "x" });
  });

  test("trims what was reserved last, and nothing else", () => {
    const { writer, decoded, page } = begin(SCALARS);
    (call(writer, "reserveBytes", 200) as Uint8Array).fill(1);
    expect(failureIn(() => call(writer, "trimBytes", 201)).code).toBe("INVALID_ARGUMENT");
    call(writer, "trimBytes", 3);
    call(writer, "trimBytes", 2);
    set(writer, "bool", true);
    expect(decoded()).toMatchObject({ bytes: Uint8Array.of(1, 1), bool: true });
    const { pos } = page;
    expect(failureIn(() => call(writer, "trimBytes", 1)).code).toBe("FAILED_PRECONDITION");
    expect(page.pos).toBe(pos);
  });

  test("takes back a message whose callback throws, is async, or runs out of room", () => {
    const { writer, page, decoded } = begin("test.codec.v3.Node", 60);
    set(writer, "name", "root");
    const { pos } = page;
    const thrown = new Error("no more");
    expect(() =>
      call(writer, "setLeft", (left: MessageWriter) => {
        set(left, "name", "left");
        call(left, "addChildren", () => {
          throw thrown;
        });
      }),
    ).toThrow(thrown);
    expect(() => call(writer, "setLeft", async () => undefined)).toThrow(TypeError);
    expect(() => call(writer, "setLeft", 5)).toThrow(TypeError);
    const error = failureIn(() =>
      call(writer, "putNamed", "key", (node: MessageWriter) => {
        set(node, "name", "x".repeat(60));
      }),
    );
    expect(error.code).toBe("RESOURCE_EXHAUSTED");
    expect(page.pos).toBe(pos);
    call(writer, "addChildren", () => undefined);
    expect(decoded()).toMatchObject({ name: "root", children: [{ name: "" }] });
  });

  test("is used in its turn alone", () => {
    const { writer, page } = begin("test.codec.v3.Node");
    let kept: MessageWriter | undefined;
    call(writer, "setLeft", (left: MessageWriter) => {
      kept = left;
      expect(failureIn(() => set(writer, "name", "x")).code).toBe("FAILED_PRECONDITION");
    });
    expect(failureIn(() => set(kept!, "name", "x")).code).toBe("FAILED_PRECONDITION");
    expect(failureIn(() => call(kept!, "addChildren", () => undefined)).code).toBe("FAILED_PRECONDITION");
    const { pos } = page;
    endWriting(page, "it is over");
    expect(String(failureIn(() => set(writer, "name", "x")))).toContain("it is over");
    expect(page.pos).toBe(pos);
  });

  test("wants required fields of each message", () => {
    const { writer, page } = begin("test.codec.v2.Required");
    expect(failureIn(() => checkRequired(writer))).toMatchObject({ code: "INVALID_ARGUMENT" });
    set(writer, "name", "a");
    set(writer, "count", 0);
    set(writer, "level", 1);
    call(writer, "reserveBody", 3);
    expect(String(failureIn(() => checkRequired(writer)))).toContain(
      "test.codec.v2.Required.fields is required",
    );
    const { pos } = page;
    const error = failureIn(() =>
      call(writer, "setFields", (fields: MessageWriter) => {
        call(fields, "setRequired", () => undefined);
      }),
    );
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(page.pos).toBe(pos);
    call(writer, "setFields", () => undefined);
    checkRequired(writer);
  });
});
