import { execFileSync } from "node:child_process";
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { shmBinding } from "../harness/shm.js";
import {
  directory,
  end,
  endStage,
  hostwatch,
  json,
  root,
  run,
  runProgram,
  start,
  startStage,
} from "./stage.js";

interface Findings {
  readonly ok: boolean;
  readonly findings: readonly { readonly check: string; readonly state: string; readonly finding: string }[];
}

/** More than any that the kernel gives. */
const NO_PID = 4_194_305;
const NO_ADDON = { PROTOIPC_ADDON: "/nowhere/protoipc.node" };

/** What runs a program in a network namespace of its own; or why that cannot be done here. */
function otherNetwork(): readonly string[] | string {
  for (const flags of ["-n", "-rn"]) {
    try {
      execFileSync("unshare", [flags, "true"], { stdio: "ignore" });
      return ["unshare", flags];
    } catch {
      // Not permitted, or not there.
    }
  }
  return "unshare makes no network namespace here";
}

const within = otherNetwork();
if (typeof within === "string" && process.env["CI"] === "true" && process.platform === "linux")
  throw new Error(within);

beforeAll(startStage);
afterAll(endStage);

describe("protoipc doctor", () => {
  it("finds what is wrong, says what to do, and removes what is dead", async () => {
    const { ok, findings } = await json<Findings>(["doctor"]);
    expect(ok).toBe(true);
    expect(findings.filter(({ check }) => check === "self test").length).toBeGreaterThan(1);
    const killed = await start("test/programs/found-endpoint.js", ["killed"]);
    await end(killed, "SIGKILL");
    await mkdir(join(directory, "default", "open"));
    await chmod(join(directory, "default", "open"), 0o777);
    expect((await run(["ls"])).out).toMatch(/killed +\d+ +dead/);
    const { out } = await run(["doctor"]);
    expect(out).toContain(`endpoint killed: left by process ${killed.pid}, which is dead`);
    expect(out).toContain("endpoint open: the directory");
    // Nothing proves it without the native part.
    if (shmBinding() !== undefined) {
      expect((await run(["doctor", "--fix"])).out).toContain("which is dead; removed");
      expect(await readdir(join(directory, "default"))).not.toContain("killed");
    }
    await rm(join(directory, "default", "open"), { recursive: true });

    const file = join(directory, "no-directory");
    await writeFile(file, "");
    const broken = await run(["doctor"], { env: { PROTOIPC_DIR: file } });
    expect(broken.code).toBe(1);
    expect(broken.out).toContain("set PROTOIPC_DIR to another directory");
    expect(broken.out).toMatch(/failure {2}self test: .*\n +→ no endpoint can be opened here/);
    await rm(file);
  });

  it("sees who may replace the directory by one that is further up", async () => {
    const open = join(directory, "open");
    await mkdir(join(open, "inner"), { recursive: true, mode: 0o755 });
    await chmod(open, 0o777);
    const { out } = await run(["doctor"], { env: { PROTOIPC_DIR: join(open, "inner", "protoipc") } });
    expect(out).toContain(`other users can replace ${join(open, "inner")}, as ${open} has mode 0777`);
    expect((await run(["doctor"])).out).not.toContain("can replace");
    await rm(open, { recursive: true });
  });

  it.skipIf(shmBinding() === undefined)("tries shared memory out, and sees what limits it", async () => {
    expect((await run(["doctor"])).out).toContain("shared memory: a segment can be made");
    const { out } = await run(["doctor"], { within: ["bash", "-c", 'ulimit -f 1; exec "$@"', "bash"] });
    expect(out).toMatch(/warning {2}shared memory: no segment can be made \(memfd\): .*\n +→ .*ulimit -f/);
    expect(out).toContain("warning  file size: files have 1024 bytes at most");
    expect(out).toMatch(/failure {2}self test: shm:.*\n +→ do without it: PROTOIPC_TRANSPORTS=unix,pipe/);
    expect(out).toMatch(/ok +system calls: are (not )?filtered/);
    expect(out).toMatch(/ok +locked memory: \w+ bytes at most/);
  });

  it("leaves what is dead where nothing proves it", async () => {
    await end(await start("test/programs/found-endpoint.js", ["unproven"]), "SIGKILL");
    const { out } = await run(["doctor", "--fix"], { env: NO_ADDON });
    expect(out).toMatch(
      /endpoint unproven: left by process \d+, which is dead; not removed\n.*npx protoipc build/,
    );
    expect(await readdir(join(directory, "default"))).toContain("unproven");
    if (shmBinding() === undefined) return;
    expect((await run(["doctor", "--fix"])).out).toMatch(/unproven: .*; removed/);
  });
});

const why = typeof within === "string" ? `: ${within}` : "";

describe.skipIf(why !== "" || shmBinding() === undefined)(`from another network namespace${why}`, () => {
  const options = { within: within as readonly string[] };

  it("an endpoint is alive, and stays", async () => {
    expect((await run(["ls"], options)).out).toMatch(/hostwatch +\d+ +elsewhere/);
    const { out, code } = await run(["doctor", "--fix"], options);
    expect(code).toBe(1);
    expect(out).toContain("network namespace: hostwatch: alive in another network namespace");
    expect(out).toContain(`of process ${hostwatch.pid}, which is alive in another network namespace`);
    expect(out).not.toContain("which is dead");
    expect(await readdir(join(directory, "default", "hostwatch"))).toContain("entry");
    expect((await run(["ping", "hostwatch"])).code).toBe(0);
  });

  it("so does one that has no lock of a file, nor a process that is seen from there", async () => {
    const bare = await start("test/programs/found-endpoint.js", ["bare"], NO_ADDON);
    try {
      expect((await run(["doctor", "--fix"], options)).out).toMatch(/bare, hostwatch: alive in another/);
      // As in a container that shows no processes but its own.
      for (const name of ["bare", "hostwatch"]) await writeOtherPid(name);
      expect((await run(["doctor", "--fix"], options)).out).toMatch(/bare, hostwatch: alive in another/);
      expect(await readdir(join(directory, "default", "bare"))).toContain("entry");
    } finally {
      await end(bare, "SIGKILL");
    }
  });

  it("it is reached over its socket, by commands that remove nothing", async () => {
    for (const env of [{}, NO_ADDON]) {
      const { out, error } = await run(["describe"], { ...options, env });
      expect([out, error]).toEqual([expect.stringContaining("service hostwatch.v1.Hostwatch"), ""]);
      expect((await run(["call", "List"], { ...options, env })).code).toBe(0);
      expect(await run(["complete", "--", "call", "List"], { ...options, env })).toMatchObject({ code: 0 });
      expect(await readdir(join(directory, "default", "hostwatch"))).toContain("entry");
    }
  });
});

describe.skipIf(why !== "")(`nobody in another network namespace${why}`, () => {
  const program = join(root, "dist/test/programs/found-endpoint.js");
  /** Ends what waits for ever. */
  const briefly = [...(within as readonly string[]), "timeout", "4"];
  const lookers = { "with the native part": {}, "without it": NO_ADDON };

  for (const [how, env] of Object.entries(lookers)) {
    it.skipIf(env !== NO_ADDON && shmBinding() === undefined)(
      `removes an endpoint, or takes its name, ${how}`,
      async () => {
        const bare = await start("test/programs/found-endpoint.js", ["bare"], NO_ADDON);
        try {
          await writeOtherPid("bare");
          const before = await readdir(join(directory, "default", "bare"));
          // Looks for publishers, and is told of none.
          await run(["sub", "Hostwatch/Cores"], { within: briefly, env });
          const taken = await runProgram([...briefly, process.execPath, program, "bare"], { env });
          expect(taken.error).toContain(
            `the endpoint name bare in domain default is taken by process ${NO_PID} of another namespace`,
          );
          expect(await readdir(join(directory, "default", "bare"))).toEqual(before);
          expect(await readdir(join(directory, "default", "hostwatch"))).toContain("entry");
          expect((await run(["ping", "bare"])).code).toBe(0);
        } finally {
          await end(bare, "SIGKILL");
          await run(["doctor", "--fix"]);
        }
      },
    );
  }
});

async function writeOtherPid(name: string): Promise<void> {
  const path = join(directory, "default", name, "entry");
  const entry = JSON.parse(await readFile(path, "utf8")) as object;
  await writeFile(path, JSON.stringify({ ...entry, pid: NO_PID }));
}
