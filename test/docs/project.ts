// A user's project: files in a folder, with the packages where npm would have put them.
import { type ExecFileException, execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const repository: string = fileURLToPath(new URL("../../", import.meta.url));
const binaries = join(repository, "node_modules/.bin");

/** How a command went. */
export interface Outcome {
  readonly exitCode: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** A new folder of packages and nothing else. It uses what is built, as users do. */
export function createProject(): string {
  for (const built of ["dist/index.js", "codegen/dist/src/plugin.js"]) {
    if (!existsSync(join(repository, built))) throw new Error(`${built} is missing: run npm run build`);
  }
  const folder = mkdtempSync(join(tmpdir(), "protoipc-docs-"));
  const packages = join(folder, "node_modules");
  mkdirSync(join(packages, "protoipc"), { recursive: true });
  // buf does not follow links.
  cpSync(join(repository, "proto"), join(packages, "protoipc/proto"), { recursive: true });
  cpSync(join(repository, "package.json"), join(packages, "protoipc/package.json"));
  symlinkSync(join(repository, "dist"), join(packages, "protoipc/dist"));
  for (const name of ["@bufbuild", "@types"]) {
    symlinkSync(join(repository, "node_modules", name), join(packages, name));
  }
  writeProjectFile(folder, "package.json", '{ "type": "module" }\n');
  return folder;
}

export function writeProjectFile(folder: string, path: string, text: string): void {
  const target = join(folder, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text);
}

export function removeProject(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Runs a command in the folder. Its endpoints have a directory of their own. */
export function runIn(folder: string, command: string, args: readonly string[]): Promise<Outcome> {
  const env = {
    ...process.env,
    PATH: `${binaries}:${process.env["PATH"] ?? ""}`,
    PROTOIPC_DIR: mkdtempSync(join(folder, "run-")),
    PROTOIPC_DOMAIN: "",
  };
  return new Promise((resolve) => {
    const done = (error: ExecFileException | null, stdout: string, stderr: string): void => {
      resolve({
        exitCode: error === null ? 0 : (error.code ?? error.signal ?? error.message),
        stdout,
        stderr,
      });
    };
    execFile(
      command,
      args,
      { cwd: folder, env, encoding: "utf8", timeout: 20_000, killSignal: "SIGKILL" },
      done,
    );
  });
}
