/**
 * Does what the README's quick start says, with packages made from this tree: packs both, installs them in an empty
 * folder, writes the files that the README shows, runs its commands, and runs the two programs as two processes.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const repository = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const readme = readFileSync(join(repository, "README.md"), "utf8");

/** The version that the lockfile holds, so that the outcome does not depend on the day. */
function pinned(name: string): string {
  const lock: unknown = JSON.parse(readFileSync(join(repository, "package-lock.json"), "utf8"));
  const { packages } = lock as { packages: Record<string, { version?: string }> };
  const version = packages[`node_modules/${name}`]?.version;
  if (version === undefined) throw new Error(`${name} is not in package-lock.json`);
  return `${name}@${version}`;
}

/** The files that the README shows: a line with a path in backticks and a colon, then a fenced block. */
function filesShown(): Map<string, string> {
  const files = new Map<string, string>();
  for (const [, path, text] of readme.matchAll(/^`([^`\n]+)`:\n\n```\w+\n([\s\S]*?)^```$/gm)) {
    files.set(path!, text!);
  }
  return files;
}

/** The lines of the README's shell blocks that begin with a command. */
function commandsShown(command: string): string[] {
  const shell = [...readme.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, text]) => text!.split("\n"));
  const lines = shell.filter((line) => line === command || line.startsWith(`${command} `));
  if (lines.length === 0) throw new Error(`README.md shows no command ${command}`);
  return lines;
}

function run(folder: string, command: string): void {
  console.log(`$ ${command}`);
  execFileSync("bash", ["-euc", command], { cwd: folder, stdio: ["ignore", "inherit", "inherit"] });
}

function pack(folder: string, workspace: readonly string[]): string {
  const out = execFileSync("npm", ["pack", "--json", "--pack-destination", folder, ...workspace], {
    cwd: repository,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const parsed: unknown = JSON.parse(out);
  const [first] = (Array.isArray(parsed) ? parsed : Object.values(parsed as object)) as {
    filename: string;
  }[];
  return join(folder, first!.filename);
}

async function firstLine(child: ChildProcess): Promise<string> {
  const lines = createInterface({ input: child.stdout! });
  const [line] = (await once(lines, "line")) as [string];
  return line;
}

/** Runs the two programs as the README does: the first in the background, the second while it runs. */
async function runPrograms(folder: string): Promise<void> {
  const [server, client] = commandsShown("node").map((line) => line.split(" ")[1]!);
  const env = { ...process.env, PROTOIPC_DIR: join(folder, "run") };
  const market = spawn(process.execPath, [server!], {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const line = await firstLine(market);
    if (line !== "serving") throw new Error(`market.js said ${JSON.stringify(line)}`);
    const output = execFileSync(process.execPath, [client!], {
      cwd: folder,
      env,
      encoding: "utf8",
      timeout: 30_000,
    });
    process.stdout.write(output);
    const lines = output.trim().split("\n");
    const isRight = lines[0] === "ACME is at 1.25" && lines.length === 6 && lines[5]!.startsWith("ACME 1.");
    if (!isRight) throw new Error("shell.js did not print what the README leads one to expect");
    const list = "npx protoipc ls --json";
    const listed = execFileSync("sh", ["-c", list], { cwd: folder, env, encoding: "utf8", timeout: 30_000 });
    const { endpoints } = JSON.parse(listed) as { endpoints: { name: string; state: string }[] };
    const isListed = endpoints.some(({ name, state }) => name === "market" && state === "alive");
    if (!isListed) throw new Error(`${list} printed ${JSON.stringify(listed)}`);
    const call = `npx protoipc call Market/Price '{"symbol": "ACME"}' --json`;
    const reply = execFileSync("sh", ["-c", call], { cwd: folder, env, encoding: "utf8", timeout: 30_000 });
    if (reply !== '{"bid":1.25}\n') throw new Error(`${call} printed ${JSON.stringify(reply)}`);
    const exited = once(market, "exit");
    market.kill("SIGTERM");
    const [code] = (await exited) as [number | null];
    if (code !== 0) throw new Error(`market.js ended with ${code} after SIGTERM`);
  } finally {
    market.kill("SIGKILL");
  }
}

const folder = mkdtempSync(join(tmpdir(), "protoipc-try-"));
try {
  const tarballs: Record<string, string> = {
    protoipc: pack(folder, []),
    "protoc-gen-protoipc": pack(folder, ["--workspace", "protoc-gen-protoipc"]),
  };
  for (const line of commandsShown("npm").filter((text) => !text.startsWith("npm ci"))) {
    const words = line.split(" ").map((word) => {
      const isPackage =
        line.startsWith("npm install") && !word.startsWith("-") && word !== "npm" && word !== "install";
      if (!isPackage) return word;
      return tarballs[word] ?? pinned(word);
    });
    run(folder, `${words.join(" ")}${line.startsWith("npm install") ? " --no-audit --no-fund" : ""}`);
  }
  for (const [path, text] of filesShown()) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const strict =
    "--exactOptionalPropertyTypes --noUncheckedIndexedAccess --noPropertyAccessFromIndexSignature --verbatimModuleSyntax --isolatedModules";
  for (const line of commandsShown("npx")) run(folder, line);
  run(folder, `npx tsc --noEmit ${strict}`);
  await runPrograms(folder);

  // The same with protoc.
  rmSync(join(folder, "src/gen"), { recursive: true });
  mkdirSync(join(folder, "src/gen"));
  const [protoc] = commandsShown("protoc");
  const bin = join(folder, "node_modules/.bin");
  run(folder, `set -f; PATH=${bin}:$PATH ${join(repository, "node_modules/.bin")}/${protoc}`);
  run(folder, `npx tsc ${strict}`);
  await runPrograms(folder);
  console.log("the quick start works");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
