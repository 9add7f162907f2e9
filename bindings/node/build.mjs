/**
 * Compiles the addon with the C compiler and the Node headers that are there. Downloads nothing, needs no package.
 *
 *   node build.mjs              builds for this machine; fails with a reason
 *   node build.mjs --optional   as an install script: where it cannot be built, says so in one line and exits with 0
 *   node build.mjs --prebuild   writes into prebuilds/, which is packed
 *   node build.mjs --strict     warnings are errors: for us, not for users, whose compiler may be newer than ours
 *
 * $CC is the compiler, $CFLAGS is added to its flags.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const FLAGS = [
  "-std=c11",
  "-D_GNU_SOURCE",
  "-O2",
  "-fPIC",
  "-shared",
  "-fvisibility=hidden",
  "-Wall",
  "-Wextra",
];

const OPTIONS = ["--prebuild", "--optional", "--strict"];

/** What stands in the way; the message is one line. */
export class CannotBuild extends Error {
  name = "CannotBuild";
}

/** Where the headers of the running Node are. */
export function findHeaders(
  execPath = process.execPath,
  variables = process.config.variables,
  environment = process.env,
) {
  const prefix = resolve(execPath, "../..");
  const architecture = process.arch;
  const candidates = [
    join(prefix, "include/node"),
    // The npm package `node` has its headers in a package of the platform, below it or beside it.
    join(prefix, `node_modules/node-linux-${architecture}/include/node`),
    join(prefix, `../node-linux-${architecture}/include/node`),
    ...[variables.nodedir, environment.npm_config_nodedir]
      .filter((folder) => typeof folder === "string" && folder !== "")
      .map((folder) => join(folder, "include/node")),
  ];
  const found = candidates.find(
    (folder) => existsSync(join(folder, "node_api.h")) && existsSync(join(folder, "uv.h")),
  );
  if (found !== undefined) return found;
  throw new CannotBuild(`Node's headers (node_api.h, uv.h) are in none of ${candidates.join(", ")}`);
}

/** The compiler: $CC, or the first that there is. */
export function findCompiler(environment = process.env) {
  const given = environment.CC?.trim();
  const names = given ? [given] : ["cc", "gcc", "clang"];
  for (const name of names) {
    const words = name.split(/\s+/);
    try {
      execFileSync(words[0], [...words.slice(1), "--version"], { stdio: "ignore" });
      return words;
    } catch {
      // Not there, or no compiler: the next one.
    }
  }
  throw new CannotBuild(
    `there is no C compiler: ${given ? `CC is ${given}` : `looked for ${names.join(", ")}`}`,
  );
}

/** Builds, and returns the path of the addon. Throws `CannotBuild`. */
export function build({ prebuild = false, strict = false } = {}) {
  if (process.platform !== "linux") {
    throw new CannotBuild(`shared memory needs Linux; this is ${process.platform}`);
  }
  const headers = findHeaders();
  const [compiler, ...words] = findCompiler();
  const target = `${process.platform}-${process.arch}`;
  const folder = join(HERE, prebuild ? "prebuilds" : "build", target);
  const path = join(folder, "protoipc.node");
  // Another installation may be doing the same: what has the final name is always whole.
  const temporary = join(folder, `protoipc-${process.pid}.tmp`);
  const sources = readdirSync(HERE).filter((file) => file.endsWith(".c"));
  mkdirSync(folder, { recursive: true });
  try {
    execFileSync(
      compiler,
      [
        ...words,
        ...FLAGS,
        ...(strict ? ["-Werror"] : []),
        ...(process.env.CFLAGS?.split(/\s+/).filter((flag) => flag !== "") ?? []),
        "-isystem",
        headers,
        ...sources.map((file) => join(HERE, file)),
        `-Wl,--version-script=${join(HERE, "addon.map")}`,
        "-o",
        temporary,
      ],
      { stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" },
    );
    renameSync(temporary, path);
  } catch (error) {
    const said = `${error.stderr ?? error.message}`.trim();
    throw new CannotBuild(`${compiler} failed: ${said}`);
  } finally {
    rmSync(temporary, { force: true });
  }
  return path;
}

/** What the command line says. Returns the exit code. */
export function main(args) {
  const unknown = args.find((word) => !OPTIONS.includes(word));
  if (unknown !== undefined) {
    console.error(`protoipc build has no option ${unknown}; it has: ${OPTIONS.join(", ")}`);
    return 2;
  }
  const [prebuild, optional, strict] = OPTIONS.map((option) => args.includes(option));
  try {
    console.log(`protoipc: built ${build({ prebuild, strict })}`);
    return 0;
  } catch (error) {
    if (!(error instanceof CannotBuild)) throw error;
    if (!optional) {
      console.error(`protoipc: ${error.message}`);
      return 1;
    }
    const [line] = error.message.split("\n");
    console.log(`protoipc: shared memory is not built (${line}); all else works. Later: npx protoipc build`);
    return 0;
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = main(process.argv.slice(2));
}
