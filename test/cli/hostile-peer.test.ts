import { create, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Simple } from "../../gen/protoipc/v1/simple_protoipc.js";
import { open } from "../../index.js";
import { endStage, run, startStage } from "./stage.js";

beforeAll(startStage);
afterAll(endStage);

const STEERING = "\u009b2J\u001b[2J\u0007\u007f";

/** A schema whose names would steer a terminal, if anybody took it. */
const FILES = toBinary(
  FileDescriptorSetSchema,
  create(FileDescriptorSetSchema, {
    file: [
      create(FileDescriptorProtoSchema, { name: `${STEERING}.proto`, package: STEERING, syntax: "proto3" }),
    ],
  }),
);

describe("a peer that would steer the terminal", () => {
  it("does not, whatever is shown of it", async () => {
    const endpoint = await open({ name: "evil" });
    try {
      const $schema = { ...Simple.$schema, files: () => FILES };
      endpoint.serve({ ...Simple, $schema, $typeName: `Evil${STEERING}` } as never, {} as never);
      for (const args of [
        ["ls"],
        ["describe"],
        ["call", "Hostwatch/Label", JSON.stringify({ pid: process.pid, text: STEERING })],
        ["call", "List", '{"limit": 1000}'],
        ["call", "List", '{"limit": 1000}', "--json"],
      ]) {
        const { out, error } = await run(args);
        expect({ args, steering: steeringIn(out + error) }).toEqual({ args, steering: [] });
      }
      expect((await run(["ls"])).out).toContain("Evil");
    } finally {
      await endpoint.close();
    }
  });
});

function steeringIn(text: string): string[] {
  return Array.from(text).filter(
    (letter) => letter !== "\n" && (letter < " " || (letter > "~" && letter < "\u00a0")),
  );
}
