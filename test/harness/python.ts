import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PROTO_FOLDERS = ["proto", "examples/hostwatch/proto", "examples/plugins/proto"];

/** What runs the programs in Python. */
export interface Python {
  readonly program: string;
  /** Where what stock protoc generates is found. */
  readonly env: { readonly PYTHONPATH: string; readonly PYTHONDONTWRITEBYTECODE: "1" };
  /** Why it cannot run them here; `undefined` where it can. */
  readonly missing: string | undefined;
}

/** Has protoc generate Python for the wire and these protos into a folder. Rejects in CI, where Python has to be there. */
export async function preparePython(folder: string, protos: readonly string[]): Promise<Python> {
  const program = process.env["PROTOIPC_PYTHON"] ?? "python3";
  const env = { PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: "1" } as const;
  const all = ["protoipc/v1/wire.proto", "protoipc/v1/options.proto", ...protos];
  const folders = PROTO_FOLDERS.flatMap((path) => ["-I", path]);
  const protoc = [`${ROOT}node_modules/protoc/protoc.cjs`, ...folders, `--python_out=${folder}`, ...all];
  await run(process.execPath, protoc, { cwd: ROOT });
  try {
    await run(program, ["-c", "import protoipc.v1.wire_pb2, google.protobuf.proto"], {
      env: { ...process.env, ...env },
    });
    return { program, env, missing: undefined };
  } catch (error) {
    const reason = (error as Error).message.trim().split("\n").at(-1);
    const missing = `${program} cannot run the peer (see examples/python-peer/README.md): ${reason}`;
    if (process.env["CI"] === "true") throw new Error(missing, { cause: error });
    console.warn(`skipped: ${missing}`);
    return { program, env, missing };
  }
}
