import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { getSystemErrorName, promisify } from "node:util";
import { TransportError } from "../transport.js";

/**
 * Makes FIFOs, mode 0600, at paths that are free. Rejects where one cannot be made; others may stand then. Node itself
 * cannot do that.
 */
export type MakeFifos = (paths: readonly string[]) => Promise<void>;

/** By native code: mkfifo(2), which says 0 or the negative error number. */
export function makeFifosBy(mkfifo: (path: string) => number): MakeFifos {
  return async (paths) => {
    for (const path of paths) {
      const result = mkfifo(path);
      if (result !== 0) throw systemError(result, path);
    }
  };
}

/** By the system's program `mkfifo`. `undefined` where there is none in $PATH. */
export function mkfifoProgram(environment: NodeJS.ProcessEnv = process.env): MakeFifos | undefined {
  const program = (environment["PATH"] ?? "")
    .split(delimiter)
    .filter(isAbsolute)
    .map((folder) => join(folder, "mkfifo"))
    .find(isExecutable);
  if (program === undefined) return undefined;
  return async (paths) => {
    await promisify(execFile)(program, ["-m", "600", "--", ...paths], { timeout: PROGRAM_TIMEOUT_MS });
  };
}

const PROGRAM_TIMEOUT_MS = 5_000;

/** Why there are no pipes, where nothing makes FIFOs. */
export const NO_MKFIFO =
  "pipes need native code (run npx protoipc build) or the system's program mkfifo; there is neither";

/** What makes FIFOs where nothing was given. */
export const makeFifosByDefault: MakeFifos = async (paths) => {
  const make = mkfifoProgram();
  if (make === undefined) throw new TransportError("unavailable", NO_MKFIFO);
  await make(paths);
};

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function systemError(result: number, path: string): Error {
  const code = getSystemErrorName(result);
  return Object.assign(new Error(`${code}: mkfifo ${path}`), { code });
}
