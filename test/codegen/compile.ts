// Runs compilers and plugins as users run them: real processes, the built plugin.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the repository, which is further up where this file is compiled. */
export const repository: string = findRepository(dirname(fileURLToPath(import.meta.url)));
export const schemas: string = join(repository, "test/codegen/schemas");
const binaries = join(repository, "node_modules/.bin");

export interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function findRepository(folder: string): string {
  return existsSync(join(folder, "package.json")) ? folder : findRepository(dirname(folder));
}

/** A plugin and where its output goes. */
export interface PluginRun {
  readonly plugin: "es" | "protoipc" | "ts_proto";
  readonly out: string;
  readonly options: readonly string[];
  /** For buf: all files at once, instead of a folder's. Without it ts-proto makes what is imported more than once. */
  readonly strategy?: "all";
}

export function run(command: string, args: readonly string[], cwd: string = repository): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}

/** Runs protoc. Files are named relative to one of the roots; protoipc's own schemas are a root of their own. */
export async function protoc(
  roots: readonly string[],
  files: readonly string[],
  plugins: readonly PluginRun[],
): Promise<Outcome> {
  assertPluginBuilt();
  const args = [...roots, join(repository, "proto")].flatMap((root) => ["-I", root]);
  for (const { plugin, out, options } of plugins) {
    await mkdir(out, { recursive: true });
    args.push(`--plugin=${join(binaries, `protoc-gen-${plugin}`)}`, `--${plugin}_out=${out}`);
    if (options.length > 0) args.push(`--${plugin}_opt=${options.join(",")}`);
  }
  return await withTemporaryDirectory(async (directory) => {
    const list = join(directory, "files.txt");
    await writeFile(list, files.join("\n"));
    return await run(join(binaries, "protoc"), [...args, `@${list}`]);
  });
}

/** Runs `buf generate` over a folder of schemas, in a project of its own that holds protoipc's schemas too. */
export async function bufGenerate(root: string, plugins: readonly PluginRun[]): Promise<Outcome> {
  assertPluginBuilt();
  const template = {
    version: "v2",
    plugins: plugins.map(({ plugin, out, options, strategy }) => ({
      local: `protoc-gen-${plugin}`,
      out,
      opt: options,
      strategy,
    })),
  };
  return await withTemporaryDirectory(async (project) => {
    await cp(root, join(project, "schemas"), { recursive: true });
    await cp(join(repository, "proto"), join(project, "protoipc"), { recursive: true });
    const modules = [{ path: "schemas" }, { path: "protoipc" }];
    await writeFile(join(project, "buf.yaml"), JSON.stringify({ version: "v2", modules }));
    await writeFile(join(project, "buf.gen.yaml"), JSON.stringify(template));
    // buf finds plugins on the path, where npm puts those of the project.
    const path = `${binaries}:${process.env["PATH"] ?? ""}`;
    return await run("env", [`PATH=${path}`, join(binaries, "buf"), "generate", "schemas"], project);
  });
}

/** The .proto files below a folder, relative to it, in order. */
export function protoFiles(root: string): string[] {
  return listFiles(root).filter((path) => path.endsWith(".proto"));
}

/** All files below a folder, relative to it, in order. */
export function listFiles(root: string): string[] {
  if (!existsSync(root)) return [];
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((path) => statSync(join(root, path)).isFile())
    .sort();
}

/** The files below a folder by their paths relative to it. */
export async function readTree(root: string): Promise<Map<string, string>> {
  const tree = new Map<string, string>();
  for (const path of listFiles(root)) tree.set(path, await readFile(join(root, path), "utf8"));
  return tree;
}

/** Does something with a directory that is gone afterwards. */
export async function withTemporaryDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "protoipc-codegen-"));
  try {
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * Type-checks a folder under test/codegen/out with the strictest flags. The errors are those of its own files, one
 * line each, without those of the message types that protoc-gen-es generates.
 */
export async function typeCheck(folder: string): Promise<string[]> {
  const config = {
    extends: join(repository, "tsconfig.base.json"),
    compilerOptions: {
      noEmit: true,
      rootDir: repository,
      customConditions: ["protoipc-source"],
      noUnusedLocals: true,
      erasableSyntaxOnly: true,
      allowUnreachableCode: false,
    },
    include: ["**/*"],
  };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
  const { stdout } = await run(join(binaries, "tsc"), ["-p", "tsconfig.json"], folder);
  return stdout.split("\n").filter((line) => /^[^. ].*: error /.test(line) || /^error /.test(line));
}

/** An empty folder inside the repository, where generated code finds the packages that it imports. */
export async function emptyOutputFolder(name: string): Promise<string> {
  const folder = join(repository, "test/codegen/out", name);
  rmSync(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  return folder;
}

function assertPluginBuilt(): void {
  const sources = join(repository, "codegen/src");
  for (const path of listFiles(sources)) {
    const built = join(repository, "codegen/dist/src", path.replace(/\.ts$/, ".js"));
    if (!existsSync(built) || statSync(built).mtimeMs < statSync(join(sources, path)).mtimeMs) {
      throw new Error(
        `${built} is missing or older than its source: run npm run build -w protoc-gen-protoipc`,
      );
    }
  }
}

/** The version in a package.json. */
export function packageVersion(path: string): string {
  const parsed: unknown = JSON.parse(readFileSync(join(repository, path), "utf8"));
  if (typeof parsed !== "object" || parsed === null || !("version" in parsed)) return "";
  return String(parsed.version);
}
