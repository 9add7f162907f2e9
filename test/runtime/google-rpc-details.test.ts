import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createFileRegistry,
  type DescMessage,
  equals,
  fromBinary,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { errorDetail, IpcError, open, protobufEs } from "../../index.js";
import { failureOf } from "../harness/failure.js";

/** google/rpc/error_details.proto, as protoc compiles it. */
function googleRpc(): (name: string) => DescMessage {
  const folder = mkdtempSync(join(tmpdir(), "protoipc-details-"));
  try {
    const out = join(folder, "set.bin");
    const protos = "node_modules/google-proto-files";
    const args = [
      "-I",
      protos,
      "--include_imports",
      `--descriptor_set_out=${out}`,
      "google/rpc/error_details.proto",
    ];
    execFileSync("node_modules/.bin/protoc", args);
    const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(out)));
    return (name) => registry.getMessage(`google.rpc.${name}`)!;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("the details of google.rpc travel with an error, and come back typed", async () => {
  const descriptor = googleRpc();
  const details: readonly (readonly [string, Record<string, unknown>])[] = [
    ["BadRequest", { fieldViolations: [{ field: "symbol", description: "is empty" }] }],
    ["RetryInfo", { retryDelay: { seconds: 3n, nanos: 500 } }],
    ["ErrorInfo", { reason: "STALE", domain: "market.example", metadata: { age: "7" } }],
    ["QuotaFailure", { violations: [{ subject: "user:1", description: "too many" }] }],
    ["PreconditionFailure", { violations: [{ type: "TOS", subject: "user:1" }] }],
    ["ResourceInfo", { resourceType: "quote", resourceName: "ACME" }],
    ["Help", { links: [{ description: "read", url: "https://example.com" }] }],
    ["LocalizedMessage", { locale: "en", message: "no" }],
    ["RequestInfo", { requestId: "r1", servingData: "s" }],
    ["DebugInfo", { stackEntries: ["a", "b"], detail: "d" }],
  ];
  const address = "memory:google-rpc-details";
  await using server = await open({ name: address });
  await using shell = await open();
  server.serve(Echo, {
    say() {
      const sent = details.map(([name, init]) => {
        return errorDetail(protobufEs(descriptor(name)), init as MessageInitShape<DescMessage>);
      });
      throw new IpcError("FAILED_PRECONDITION", "with everything", { details: sent });
    },
  });
  const error = await failureOf(shell.client(Echo, address).say({}));
  expect(error.code).toBe("FAILED_PRECONDITION");
  expect(error.details.map(({ typeName }) => typeName)).toEqual(
    details.map(([name]) => `google.rpc.${name}`),
  );
  for (const [name, init] of details) {
    const codec = protobufEs(descriptor(name));
    const [found, ...more] = error.findDetails(codec);
    expect(more).toEqual([]);
    const bytes = errorDetail(codec, init as MessageInitShape<DescMessage>).value;
    expect(equals(descriptor(name), found!, codec.decode(bytes, 0, bytes.length, false))).toBe(true);
  }
});
