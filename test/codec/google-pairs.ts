import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { repository, run, withTemporaryDirectory } from "../codegen/compile.js";
import { generatePairs, type Pair } from "./pairs.js";

const root = join(repository, "node_modules/google-proto-files");

/** Files of different sizes and ages: plain data, trees, long oneofs, wrappers, options of options, proto2. */
const FILES = [
  "google/api/distribution.proto",
  "google/api/http.proto",
  "google/api/httpbody.proto",
  "google/api/metric.proto",
  "google/api/quota.proto",
  "google/api/service.proto",
  "google/bigtable/v2/bigtable.proto",
  "google/bigtable/v2/data.proto",
  "google/cloud/dialogflow/v2/intent.proto",
  "google/container/v1/cluster_service.proto",
  "google/devtools/remoteworkers/v1test2/command.proto",
  "google/firestore/v1/document.proto",
  "google/firestore/v1/query.proto",
  "google/firestore/v1/write.proto",
  "google/longrunning/operations.proto",
  "google/monitoring/v3/common.proto",
  "google/pubsub/v1/pubsub.proto",
  "google/rpc/error_details.proto",
  "google/rpc/status.proto",
  "google/spanner/v1/result_set.proto",
  "google/spanner/v1/transaction.proto",
  "google/type/money.proto",
  "google/type/postal_address.proto",
];

/** Messages of Google's public schemas, and their codecs. */
export async function googlePairs(out: string): Promise<Pair[]> {
  return await generatePairs(root, FILES, out, await withImports());
}

/** The files and all that they import, without the well-known types, which the runtime of protobuf-es carries. */
async function withImports(): Promise<string[]> {
  return await withTemporaryDirectory(async (directory) => {
    const set = join(directory, "all.binpb");
    const args = ["-I", root, "--include_imports", "-o", set, ...FILES];
    const { exitCode, stderr } = await run(join(repository, "node_modules/.bin/protoc"), args, root);
    if (exitCode !== 0) throw new Error(stderr);
    const names = fromBinary(FileDescriptorSetSchema, await readFile(set)).file.map(({ name }) => name);
    return names.filter((name) => !name.startsWith("google/protobuf/"));
  });
}
