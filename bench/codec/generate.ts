import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

/** The root of the repository, which is further up where this file is compiled. */
export const repository: string = findRepository(import.meta.dirname);
const proto = join(repository, "bench/codec");
/** Where the libraries' code for the messages is. */
export const generated: string = join(repository, ".cache/bench-codec");

function findRepository(folder: string): string {
  return existsSync(join(folder, "package.json")) ? folder : findRepository(dirname(folder));
}

/** Generates the messages' code for every library, as JavaScript. */
export function generate(): void {
  rmSync(generated, { recursive: true, force: true });
  mkdirSync(join(generated, "ts-proto"), { recursive: true });
  const run = (command: string, ...args: readonly string[]): void => {
    execFileSync(join(repository, "node_modules/.bin", command), args, {
      cwd: repository,
      stdio: ["ignore", process.stderr, process.stderr],
    });
  };
  const plugin = (name: string): string =>
    `--plugin=protoc-gen-${name}=${join(repository, "node_modules/.bin", `protoc-gen-${name}`)}`;
  const js = "target=js,import_extension=js";
  run("protoc", "-I", proto, plugin("es"), `--es_out=${generated}`, `--es_opt=${js}`, "messages.proto");
  const ours = [plugin("protoipc"), `--protoipc_out=${generated}`, `--protoipc_opt=${js},codec_messages=all`];
  run("protoc", "-I", proto, ...ours, "messages.proto");
  const tsProto = ["esModuleInterop=true", "outputServices=none", "forceLong=bigint", "importSuffix=.js"];
  const tsOut = join(generated, "ts-proto");
  const theirs = [plugin("ts_proto"), `--ts_proto_out=${tsOut}`, `--ts_proto_opt=${tsProto.join(",")}`];
  run("protoc", "-I", proto, ...theirs, "messages.proto");
  run(
    "tsc",
    ...[
      "--ignoreConfig",
      "--module",
      "nodenext",
      "--target",
      "es2022",
      "--types",
      "node",
      "--skipLibCheck",
      "--rootDir",
      tsOut,
    ],
    ...["--outDir", tsOut, join(tsOut, "messages.ts")],
  );
  const pbjs = ["-t", "static-module", "-w", "commonjs", "--no-comments", "--no-verify"];
  run("pbjs", ...pbjs, "-o", join(generated, "protobufjs.cjs"), join(proto, "messages.proto"));
}
