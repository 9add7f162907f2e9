import { execFile } from "node:child_process";
import { cp, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { VERSION } from "../../platform/version.js";
import { missingCompiler } from "../adversaries/compile.js";
import { shmBinding } from "../harness/shm.js";
import { newFolder } from "../transports/folder.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const missing = await missingCompiler();
const TARGET = `${process.platform}-${process.arch}`;

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs Node with these arguments. */
function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [...args],
      { env: { ...process.env, ...env }, timeout: 60_000 },
      (error, out, err) => {
        resolve({ code: error === null ? 0 : Number(error.code), out, err });
      },
    );
  });
}

/** What a package has that the native part is built from, and what was compiled of TypeScript; nothing that is built. */
async function unpacked(): Promise<string> {
  const root = await newFolder();
  const { files } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { files: string[] };
  expect(files).toContain("bindings/node/*.c");
  await mkdir(join(root, "bindings/node"), { recursive: true });
  for (const file of await readdir(join(ROOT, "bindings/node"))) {
    if (/\.(c|h|map|mjs)$/.test(file))
      await cp(join(ROOT, "bindings/node", file), join(root, "bindings/node", file));
  }
  for (const path of ["cli", "core/include", "core/src", "core/protoipc.c", "package.json"]) {
    expect(files.includes(path) || path === "package.json").toBe(true);
    await cp(join(ROOT, path), join(root, path), { recursive: true });
  }
  for (const path of ["dist/index.js", ...files.filter((file) => /^dist\/[^.]+$/.test(file))]) {
    await cp(join(ROOT, path), join(root, path), { recursive: true });
  }
  await symlink(join(ROOT, "node_modules"), join(root, "node_modules"));
  return root;
}

/** Runs a module of the package's user. */
async function use(root: string, text: string, env: NodeJS.ProcessEnv = {}): Promise<unknown> {
  const path = join(root, "use.mjs");
  await writeFile(path, text);
  const { code, out, err } = await run([path], env);
  if (code !== 0) throw new Error(err);
  return JSON.parse(out);
}

const LOAD = `
  import { loadBinding } from "./dist/bindings/node/binding.js";
  const { binding, ...rest } = loadBinding();
  console.log(JSON.stringify({ loads: binding !== undefined, ...rest }));
`;

const OPEN = `
  import { open } from "./dist/index.js";
  const say = (error) => ({ code: error.code, message: error.rawMessage });
  const shm = await open({ name: "shm:market" }).then((endpoint) => endpoint.close().then(() => "opened"), say);
  const market = await open({ name: "market" });
  const { addresses } = market;
  const shell = await open();
  const { link } = await shell.connect("market");
  const dialled = await shell.connect("shm:market").then(({ link }) => link.transport, say);
  const other = await open();
  const pipe = await other.connect("pipe:market").then(({ link }) => link.transport, say);
  await other.close();
  await shell.close();
  await market.close();
  const waiting = await open({ waiting: "often" }).then(() => "opened", (error) => error.message);
  console.log(JSON.stringify({ shm, addresses, transport: link.transport, reason: link.reason, dialled, pipe, waiting }));
`;

describe.runIf(shmBinding() !== undefined)("the native part", () => {
  it("is built from what the package has, by the command line, and found", { timeout: 120_000 }, async () => {
    const root = await unpacked();
    expect(await use(root, LOAD)).toEqual({
      loads: false,
      kind: "missing",
      reason: `shared memory is not built for ${TARGET}: run npx protoipc build, which needs a C compiler`,
    });

    // Several installations of one folder at a time: each leaves a whole file.
    const cli = join(root, "cli/protoipc.mjs");
    const path = join(root, `bindings/node/build/${TARGET}/protoipc.node`);
    const builds = await Promise.all([1, 2, 3].map(() => run([cli, "build"])));
    for (const { code, out } of builds)
      expect({ code, out }).toEqual({ code: 0, out: `protoipc: built ${path}\n` });
    expect(await readdir(join(path, ".."))).toEqual(["protoipc.node"]);
    expect(await use(root, LOAD)).toEqual({ loads: true, path });

    const prebuilt = join(root, `bindings/node/prebuilds/${TARGET}/protoipc.node`);
    expect(await run([cli, "build", "--prebuild"])).toMatchObject({ code: 0 });
    expect(await use(root, LOAD)).toEqual({ loads: true, path: prebuilt });

    // What does not load is passed over, and named where nothing does.
    await writeFile(prebuilt, "no library");
    expect(await use(root, LOAD)).toEqual({ loads: true, path });
    await writeFile(path, "neither");
    expect(await use(root, LOAD)).toMatchObject({
      loads: false,
      kind: "broken",
      reason: expect.stringMatching(
        /^the native part of shared memory does not load; npx protoipc build makes it anew/,
      ),
    });
    expect(await use(root, LOAD, { PROTOIPC_ADDON: join(root, "nowhere.node") })).toMatchObject({
      kind: "missing",
    });
  });

  it("is not needed by all else, and who asks for it is told what is missing and how to get it", async () => {
    const root = await unpacked();
    const env = { PROTOIPC_DIR: join(root, "run") };
    const missing = {
      code: "UNIMPLEMENTED",
      message: `shared memory is not built for ${TARGET}: run npx protoipc build, which needs a C compiler`,
    };
    expect(await use(root, OPEN, env)).toEqual({
      shm: missing,
      addresses: ["unix:market", "pipe:market"],
      transport: "unix",
      reason: "unix is the best of unix, pipe",
      dialled: missing,
      pipe: "pipe",
      waiting: 'waiting is "often"; it must be one of: adaptive, event, spin',
    });
    // Neither native code nor the program mkfifo.
    expect(await use(root, OPEN, { ...env, PATH: "" })).toMatchObject({
      addresses: ["unix:market"],
      pipe: {
        code: "UNIMPLEMENTED",
        message:
          "pipes need native code (run npx protoipc build) or the system's program mkfifo; there is neither",
      },
    });
    await run([join(root, "cli/protoipc.mjs"), "build"]);
    expect(await use(root, OPEN, env)).toEqual({
      shm: "opened",
      addresses: ["shm:market", "unix:market", "pipe:market"],
      transport: "shm",
      reason: "shm is the best of shm, unix, pipe",
      dialled: "shm",
      pipe: "pipe",
      waiting: 'waiting is "often"; it must be one of: adaptive, event, spin',
    });
  });

  it("is built with warnings as errors", { timeout: 60_000 }, async () => {
    const root = await unpacked();
    expect(await run([join(root, "bindings/node/build.mjs"), "--strict"])).toMatchObject({
      code: 0,
      err: "",
    });
  });
});

describe("building the native part", () => {
  const build = join(ROOT, "bindings/node/build.mjs");

  it("says in one line why it cannot be, and fails only where that matters", async () => {
    const env = { CC: "no-such-compiler" };
    const why = "there is no C compiler: CC is no-such-compiler";
    expect(await run([build, "--optional"], env)).toEqual({
      code: 0,
      out: `protoipc: shared memory is not built (${why}); all else works. Later: npx protoipc build\n`,
      err: "",
    });
    expect(await run([build], env)).toEqual({ code: 1, out: "", err: `protoipc: ${why}\n` });
    expect(await run([build, "--fast"])).toMatchObject({ code: 2, err: expect.stringContaining("--fast") });
  });

  it.skipIf(missing !== undefined)(
    "keeps what there was when the compiler fails, and says what that said",
    async () => {
      const root = await unpacked();
      await writeFile(join(root, "core/protoipc.c"), "no C at all;");
      const script = join(root, "bindings/node/build.mjs");
      const failed = await run([script]);
      expect(failed.code).toBe(1);
      expect(failed.err).toMatch(/^protoipc: \w+ failed: [\s\S]*protoipc\.c/);
      expect(await run([script, "--optional"])).toMatchObject({ code: 0, err: "" });
      expect(await readdir(join(root, `bindings/node/build/${TARGET}`))).toEqual([]);
    },
  );

  it("finds the headers of the running Node, of npm's package of it, and where npm was told", async () => {
    const { findHeaders } = (await import(build)) as {
      findHeaders(execPath: string, variables: { nodedir?: string }, environment: NodeJS.ProcessEnv): string;
    };
    const folder = await newFolder();
    const headers = async (path: string): Promise<string> => {
      const at = join(folder, path, "include/node");
      await mkdir(at, { recursive: true });
      for (const file of ["node_api.h", "uv.h"]) await writeFile(join(at, file), "");
      return at;
    };
    const prefix = await headers("usual");
    expect(findHeaders(join(folder, "usual/bin/node"), {}, {})).toBe(prefix);
    const inside = await headers(`node/node_modules/node-linux-${process.arch}`);
    expect(findHeaders(join(folder, "node/bin/node"), {}, {})).toBe(inside);
    const beside = await headers(`flat/node-linux-${process.arch}`);
    expect(findHeaders(join(folder, "flat/node/bin/node"), {}, {})).toBe(beside);
    const told = await headers("told");
    const nodedir = join(folder, "told");
    expect(findHeaders(join(folder, "none/bin/node"), { nodedir }, {})).toBe(told);
    expect(findHeaders(join(folder, "none/bin/node"), {}, { npm_config_nodedir: nodedir })).toBe(told);
    expect(() => findHeaders(join(folder, "none/bin/node"), {}, {})).toThrow(
      /Node's headers .* are in none of .*none/,
    );
  });
});

describe("the command line", () => {
  const cli = join(ROOT, "cli/protoipc.mjs");

  it("says what it can, its version, and what it does not know", async () => {
    expect(await run([cli, "--version"])).toEqual({ code: 0, out: `${VERSION}\n`, err: "" });
    expect(await run([cli, "--help"])).toMatchObject({
      code: 0,
      out: expect.stringContaining("build [options]"),
    });
    expect(await run([cli])).toMatchObject({ code: 2 });
    expect(await run([cli, "fly"])).toEqual({
      code: 2,
      out: "",
      err: "error: unknown command 'fly'\n",
    });
  });
});
