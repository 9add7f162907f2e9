import { spawn as startProcess } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import type { ChildEvents, SpawnOptions } from "../../index.js";
import { failureOf } from "../harness/failure.js";
import { programPath } from "../harness/program-path.js";
import { openFiles, openHere, repeat, start, until } from "./stage.js";

const PROGRAM = programPath("child");
const QUICK = { initialDelayMs: 10, maxDelayMs: 50 };
const ON_WINDOWS = process.platform === "win32";
/** A process takes longer to start under Wine. */
const STARTS = ON_WINDOWS ? 20 : 100;
/** How its parent sees a process that has killed itself: Windows has exit codes alone. */
const KILLED = ON_WINDOWS
  ? { code: 1, signal: null, inWords: "ended with code 1" }
  : { code: null, signal: "SIGKILL", inWords: "was ended by SIGKILL" };

function isAlive(pid: number): boolean {
  try {
    if (ON_WINDOWS) return process.kill(pid, 0);
    // A zombie has ended, and waits for its parent to ask.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

describe.each(["socket", "stdio"] as const)("a process that is started, via %s", (via) => {
  const spawn = async (how: string, options: SpawnOptions = {}) => {
    const endpoint = await openHere();
    endpoint.serve(Echo, { say: ({ text }) => ({ text: `the host heard: ${text}` }) });
    const child = await endpoint.spawn(PROGRAM, { args: [how], via, killTimeoutMs: 500, ...options });
    const lines: string[] = [];
    const ends: Parameters<ChildEvents["exit"]>[0][] = [];
    child.on("stderr", (line) => lines.push(line));
    child.on("exit", (end) => ends.push(end));
    return { endpoint, child, lines, ends, echo: child.client(Echo) };
  };

  it("is connected from its first moment, and calls back", async () => {
    const { child, echo, lines } = await spawn("serves");
    expect(await echo.say({ text: "who" })).toMatchObject({ text: "the parent", number: child.pid });
    expect(child.peer).toMatchObject({ pid: child.pid, link: { transport: "inherited" } });
    expect(await echo.say({ text: "back" })).toMatchObject({ text: "the host heard: from the child" });
    await echo.say({ text: "write" });
    const pid = child.pid!;
    await child.close();
    await child.close();
    // What it prints to the error output, to the last word.
    expect(lines.slice(-2)).toEqual(["one", "two"]);
    expect(isAlive(pid)).toBe(false);
    expect((await failureOf(echo.say({ text: "late" }))).code).toBe("UNAVAILABLE");
  });

  it("may take as long to start as it is given, whatever peers are given", async () => {
    const endpoint = await openHere({ limits: { handshakeTimeoutMs: 100, frameTimeoutMs: 200 } });
    const child = await endpoint.spawn(PROGRAM, { args: ["late"], via, connectTimeoutMs: 20_000 });
    expect(child.state).toBe("connected");
    await child.close();
  });

  it("writes to where its parent does, where it is told so", async () => {
    const parent = startProcess(process.execPath, [programPath("parent"), via, "greets"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const lines = createInterface({ input: parent.stderr })[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe("hello");
    parent.kill("SIGKILL");
  });

  it("is heard from its first words on", async () => {
    const told: string[] = [];
    const on = {
      stderr: (line: string) => void told.push(line),
      connected: () => void told.push("connected"),
    };
    const { child } = await spawn("greets", { on });
    expect(told).toEqual(["hello", "connected"]);
    await child.close();
  });

  it("tells its end, and settles its calls", async () => {
    const { child, echo, ends } = await spawn("serves");
    const pid = child.pid!;
    const hanging = failureOf(echo.say({ text: "hang" }));
    const dying = failureOf(echo.say({ text: "die" }));
    expect(await hanging).toMatchObject({ code: "UNAVAILABLE", maybeExecuted: true });
    expect(await dying).toMatchObject({ code: "UNAVAILABLE", maybeExecuted: true });
    await until(
      () => ends.length,
      (count) => count === 1,
      5_000,
    );
    expect(ends[0]).toEqual({ pid, code: KILLED.code, signal: KILLED.signal, restartInMs: undefined });
    expect(child.pid).toBeUndefined();
    const late = await failureOf(echo.say({ text: "late" }));
    expect(late).toMatchObject({ code: "UNAVAILABLE", maybeExecuted: false });
    expect(late.message).toContain(KILLED.inWords);
  });

  it("is started again, and its callers wait for it", async () => {
    const { child, echo, ends } = await spawn("serves", { restart: QUICK });
    const pids = new Set<number>();
    for (let round = 0; round < 3; round++) {
      pids.add((await echo.say({ text: "who" }, { timeoutMs: 10_000 })).number);
      await failureOf(echo.say({ text: "exit" }));
      await until(
        () => ends.length,
        (count) => count === round + 1,
        5_000,
      );
    }
    expect(pids.size).toBe(3);
    expect(ends.map(({ code, signal }) => [code, signal])).toEqual([
      [5, null],
      [5, null],
      [5, null],
    ]);
    expect(ends.every(({ restartInMs }) => restartInMs !== undefined && restartInMs <= 50)).toBe(true);
    await echo.say({ text: "there" }, { timeoutMs: 10_000 });
    expect(child.restarts).toBe(3);
  });

  it("is ended and started again when it has lost its link and lives on", async () => {
    const { child, echo, ends } = await spawn("stays", { restart: QUICK, killTimeoutMs: 100 });
    const pid = child.pid!;
    const lost = await failureOf(echo.say({ text: "unlink" }));
    expect(lost).toMatchObject({ code: "UNAVAILABLE", maybeExecuted: true });
    expect((await echo.say({ text: "there" }, { timeoutMs: 10_000 })).number).not.toBe(pid);
    expect(ends).toMatchObject([{ pid, code: null, signal: "SIGTERM" }]);
    expect(isAlive(pid)).toBe(false);
  });

  it("is given up when it ends too often", async () => {
    const { child, echo, ends } = await spawn("serves", { restart: { ...QUICK, maxRestarts: 2 } });
    const failed: string[] = [];
    child.on("failed", ({ message }) => failed.push(message));
    for (let round = 0; round < 3; round++)
      await failureOf(echo.say({ text: "exit" }, { timeoutMs: 10_000 }));
    await until(
      () => failed.length,
      (count) => count === 1,
      10_000,
    );
    expect(failed[0]).toMatch(/given up after 2 restarts: .*child\.js ended with code 5/);
    expect(ends.map(({ restartInMs }) => restartInMs === undefined)).toEqual([false, false, true]);
    expect((await failureOf(echo.say({ text: "late" }))).message).toContain("after 2 restarts");
  });

  it("ends with its parent, however that ends", async () => {
    const parent = await start("parent", [via]);
    const { child } = parent.hello as { readonly child: number };
    expect(isAlive(child)).toBe(true);
    await parent.kill("SIGKILL");
    await until(
      () => isAlive(child),
      (alive) => !alive,
      1_000,
    );
  });

  it("is killed where it does not end by itself, and its descendants do not hold the end back", async () => {
    const { child, echo, ends } = await spawn("stays", { killTimeoutMs: 100 });
    const grandchild = (await echo.say({ text: "grandchild" })).number;
    const pid = child.pid!;
    await child.close();
    expect(isAlive(pid)).toBe(false);
    expect(ends[0]).toMatchObject({ signal: "SIGTERM" });
    process.kill(grandchild, "SIGKILL");
  });

  it("gives its link to no process that it starts", async () => {
    const { child, echo } = await spawn("serves");
    const link = (via === "socket" ? [3] : [0, 1]).map((fd) => readlinkSync(`/proc/${child.pid}/fd/${fd}`));
    const helper = (await echo.say({ text: "helper" })).number;
    const held = readdirSync(`/proc/${helper}/fd`).flatMap((fd) => linkOf(helper, fd));
    expect(held.length).toBeGreaterThan(0);
    expect(held.filter((name) => link.includes(name))).toEqual([]);
    expect(readFileSync(`/proc/${helper}/environ`, "latin1")).not.toContain("PROTOIPC_PARENT");
    process.kill(helper, "SIGKILL");
  });

  it("leaves no descriptor behind", { timeout: 120_000 }, async () => {
    const endpoint = await openHere();
    const round = async (): Promise<void> => {
      const child = await endpoint.spawn(PROGRAM, { args: ["serves"], via });
      await child.close();
    };
    await round();
    const before = await openFiles();
    await repeat(STARTS, 4, round);
    await until(
      () => openFiles(),
      (count) => count <= before,
      5_000,
    );
  });
});

describe("a process that cannot be started", () => {
  it("is told of by its name, with why", async () => {
    const endpoint = await openHere();
    const missing = await failureOf(endpoint.spawn("/nowhere/plugin"));
    expect([missing.code, missing.message]).toEqual([
      "NOT_FOUND",
      "NOT_FOUND: cannot start /nowhere/plugin: ENOENT",
    ]);
    const folder = await mkdtemp(join(tmpdir(), "protoipc-test-"));
    // What may be run is said by the mode; on Windows by the content.
    const file = join(folder, ON_WINDOWS ? "plugin.exe" : "plugin");
    await writeFile(file, "");
    await chmod(file, 0o644);
    const code = ON_WINDOWS ? "UNAVAILABLE" : "PERMISSION_DENIED";
    expect((await failureOf(endpoint.spawn(file))).code).toBe(code);
    await rm(folder, { recursive: true });
    const early = await failureOf(endpoint.spawn(PROGRAM, { args: ["fails"] }));
    expect(early).toMatchObject({ code: "UNAVAILABLE", maybeExecuted: false });
    expect(early.message).toContain("child.js ended with code 7; its last words: cannot begin | that is all");
    const silent = await failureOf(endpoint.spawn(PROGRAM, { args: ["silent"], connectTimeoutMs: 300 }));
    expect(silent.code).toBe("DEADLINE_EXCEEDED");
    const garbage = await failureOf(endpoint.spawn(PROGRAM, { args: ["garbage"], via: "stdio" }));
    expect(garbage.code).toBe("INTERNAL");
    expect(endpoint.connectedPeers).toEqual([]);
    await expect(endpoint.spawn(PROGRAM, { via: "pigeon" as "socket" })).rejects.toThrow(TypeError);
    await expect(endpoint.spawn(PROGRAM, { args: ["\0"] })).rejects.toThrow(TypeError);
  });

  it("is told of by its working directory, where it is that which is missing", async () => {
    const endpoint = await openHere();
    const missing = await failureOf(endpoint.spawn(PROGRAM, { cwd: "/nowhere/at-all" }));
    expect([missing.code, missing.rawMessage]).toEqual([
      "NOT_FOUND",
      `cannot start ${PROGRAM} in /nowhere/at-all (cwd): ENOENT`,
    ]);
    const file = await failureOf(endpoint.spawn(PROGRAM, { cwd: PROGRAM }));
    expect([file.code, file.rawMessage]).toEqual([
      "INVALID_ARGUMENT",
      `cannot start ${PROGRAM} in ${PROGRAM} (cwd): ENOTDIR`,
    ]);
    const program = await failureOf(endpoint.spawn("/nowhere/plugin", { cwd: tmpdir() }));
    expect(program.rawMessage).toBe("cannot start /nowhere/plugin: ENOENT");
  });

  it("is told of where it is given more than the system takes", async () => {
    const endpoint = await openHere();
    const tooMuch = await failureOf(endpoint.spawn(PROGRAM, { args: ["x".repeat(10_000_000)] }));
    expect([tooMuch.code, tooMuch.rawMessage]).toEqual([
      "INVALID_ARGUMENT",
      `cannot start ${PROGRAM}: E2BIG`,
    ]);
  });

  it("leaves no descriptor behind", async () => {
    const endpoint = await openHere();
    const before = await openFiles();
    for (let i = 0; i < 10; i++) {
      await Promise.all([
        failureOf(endpoint.spawn("/nowhere/plugin")),
        failureOf(endpoint.spawn(PROGRAM, { cwd: "/nowhere", via: "stdio" })),
        // Wine starts that.
        ON_WINDOWS || failureOf(endpoint.spawn(PROGRAM, { args: ["x".repeat(10_000_000)] })),
      ]);
    }
    await until(
      () => openFiles(),
      (count) => count <= before,
      5_000,
    );
  });

  it("has no parent to join where nobody started it", async () => {
    const orphan = await failureOf(openHere({ parent: true }));
    expect(orphan.code).toBe("FAILED_PRECONDITION");
    expect(orphan.message).toContain("PROTOIPC_PARENT is not set");
  });
});

/** What a descriptor is; nothing where it has just been closed. */
function linkOf(pid: number, fd: string): string[] {
  try {
    return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
  } catch {
    return [];
  }
}
