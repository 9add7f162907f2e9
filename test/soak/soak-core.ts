// The soak of the C core: pairs.c, compiled and run.
import { spawn } from "node:child_process";
import { readdir } from "node:fs/promises";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile } from "../adversaries/compile.js";

/** What pairs.c says at its end. */
export interface CoreSoak {
  readonly kills: number;
  readonly serverKills: number;
  readonly clientKills: number;
  readonly links: number;
  readonly records: number;
  readonly blocks: number;
  readonly bytes: number;
  /** Ends of links at which what came was held to what the dead had committed. */
  readonly endsChecked: number;
  readonly audits: number;
  readonly ms: number;
  /** "": everything holds. */
  readonly failure: string;
}

/** Entries of /dev/shm: the library has none, whatever happens. */
export async function sharedFiles(): Promise<string[]> {
  return (await readdir("/dev/shm")).sort();
}

export function newFiles(before: readonly string[], after: readonly string[]): string[] {
  return after.filter((name) => !before.includes(name));
}

/** Kills so many processes. `planted` is a macro that plants a mistake in the library. */
export async function soakCore(kills: number, seed: number, planted?: string): Promise<CoreSoak> {
  const flags = ["-O2", "-g", ...(planted === undefined ? [] : [`-D${planted}`])];
  const program = await compile({ name: "pairs", sources: ["test/soak/pairs.c", "core/protoipc.c"], flags });
  const folder = await mkdtemp(join(tmpdir(), "protoipc-soak-"));
  const before = await sharedFiles();
  try {
    const child = spawn(program, [`${kills}`, `${seed}`, join(folder, "socket")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    child.stdout.on("data", (part: Buffer) => {
      text += part.toString();
    });
    await new Promise((resolve) => {
      child.on("close", resolve);
    });
    const result = JSON.parse(text) as CoreSoak;
    const left = newFiles(before, await sharedFiles());
    return left.length === 0 ? result : { ...result, failure: `in /dev/shm there is now ${left.join(", ")}` };
  } finally {
    await rm(folder, { recursive: true });
  }
}
