import { describe, expect, it } from "vitest";
import type { SpawnOptions } from "../../../index.js";
import { spawnRules } from "../../../runtime/children/spawn-rules.js";

describe("what spawn is told", () => {
  it("has defaults", () => {
    expect(spawnRules("plugin", {})).toEqual({
      request: {
        command: "plugin",
        args: [],
        cwd: undefined,
        env: undefined,
        via: "socket",
        stderr: "events",
      },
      restart: undefined,
      on: {},
      connectTimeoutMs: 10_000,
      killTimeoutMs: 2_000,
      signal: undefined,
    });
    expect(spawnRules("plugin", { restart: true }).restart).toEqual({
      backOff: { initialDelayMs: 100, maxDelayMs: 10_000, factor: 2, jitter: 0.5 },
      maxRestarts: 10,
      windowMs: 60_000,
    });
    const slow = spawnRules("plugin", { restart: { initialDelayMs: 20_000, jitter: undefined } }).restart;
    expect(slow?.backOff).toEqual({ initialDelayMs: 20_000, maxDelayMs: 20_000, factor: 2, jitter: 0.5 });
  });

  const wrong: readonly [options: object, message: string, command?: unknown][] = [
    [{}, 'command is ""; it must be the name of a program', ""],
    [{}, "command is number; it must be a string", 5],
    [{}, "command has a NUL byte at 3, which no program can be given", "plu\0gin"],
    [{ args: ["-v", "secret\0"] }, "args[1] has a NUL byte at 6, which no program can be given"],
    [{ args: [1] }, "args[0] is number; it must be a string"],
    [{ args: "-v" }, "args is string; it must be an array of strings"],
    [{ cwd: "/\0" }, "cwd has a NUL byte at 1, which no program can be given"],
    [{ env: { A: "\0" } }, 'env["A"] has a NUL byte at 0, which no program can be given'],
    [{ env: { A: 1 } }, 'env["A"] is number; it must be a string'],
    [
      { env: { "A=B": "" } },
      'env["A=B"]: the name of a variable is not empty and has neither "=" nor a NUL byte',
    ],
    [{ via: "pigeon" }, 'via is "pigeon"; it must be "socket" or "stdio"'],
    [{ signal: new AbortController() }, "signal is no AbortSignal"],
    [{ on: { exit: 5 } }, "on.exit is number; it must be a function"],
    [{ on: { end() {} } }, 'on has no event "end"; it has: connected, exit, stderr, failed'],
    [{ stderr: "ignore" }, 'stderr is "ignore"; it must be "events" or "inherit"'],
    [{ connectTimeoutMs: 0 }, "connectTimeoutMs is 0; it must be a number above 0"],
    [{ killTimeoutMs: -1 }, "killTimeoutMs is -1; it must be a number from 0"],
    [{ restart: null }, "restart is null; it must be true, false or an object"],
    [{ restart: 5 }, "restart is number; it must be true, false or an object"],
    [{ restart: { maxRestarts: -1 } }, "restart.maxRestarts is -1; it must be a number from 0"],
    [{ restart: { windowMs: 0 } }, "restart.windowMs is 0; it must be a number above 0"],
    [{ restart: { factor: 0.5 } }, "restart.factor is 0.5; it must be a number from 1 to 1000"],
  ];

  it.each(wrong)("is refused: %j", (options, message, command = "plugin") => {
    const run = (): unknown => spawnRules(command as string, options as SpawnOptions);
    expect(run).toThrow(new TypeError(message));
  });

  it("has no other options", () => {
    expect(() => spawnRules("plugin", { directory: "/" } as SpawnOptions)).toThrow(
      /^spawn has no option "directory"; it has: args, cwd, /,
    );
  });
});
