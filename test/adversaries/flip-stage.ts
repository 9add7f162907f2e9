// A publisher under the flipper, and a victim that reads what it says, each a process.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile, ROOT } from "./compile.js";

export type FlipMode = "copy" | "borrow" | "direct";

export interface Flipped {
  /** Messages. */
  readonly decoded: number;
  /** Of those, the ones whose large field stood in the publisher's memory. */
  readonly borrowed: number;
  /** What was private, or taken for it, and changed. */
  readonly unstable: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly unexpected: readonly string[];
}

export interface FlipOutcome {
  /** Undefined where the victim did not live to tell. */
  readonly flipped: Flipped | undefined;
  readonly exit: number | string;
  /** How often the publisher had to be started: it may die of what is done to it. */
  readonly publishers: number;
}

function program(name: string): string {
  return join(ROOT, `dist/test/adversaries/${name}.js`);
}

/** Lets the victim decode for so many seconds. One of `ringFlips` flips goes into the rings; 0: none. */
export async function flip(mode: FlipMode, seconds: number, ringFlips: number): Promise<FlipOutcome> {
  const flipper = await compile({ name: "flipper", sources: ["test/adversaries/flipper.c"], flags: ["-O2"] });
  const directory = await mkdtemp(join(tmpdir(), "flip-"));
  const env = { ...process.env, PROTOIPC_DIR: directory };
  const name = "shm:flip";
  let publisher: ChildProcess | undefined;
  let publishers = 0;
  let isOver = false;
  const keepPublishing = async (): Promise<void> => {
    while (!isOver) {
      publishers++;
      publisher = spawn(flipper, [`${ringFlips}`, process.execPath, program("flip-publisher"), name], {
        env,
        stdio: ["pipe", "ignore", "ignore"],
      });
      await once(publisher, "exit");
    }
  };
  const published = keepPublishing();
  try {
    const args = [program("flip-victim"), name, `${seconds}`, mode];
    const victim = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    victim.stdout.on("data", (part: Buffer) => {
      text += part.toString();
    });
    const limit = setTimeout(() => victim.kill("SIGKILL"), seconds * 1_000 + 20_000);
    await once(victim, "close");
    clearTimeout(limit);
    const exit = victim.exitCode ?? victim.signalCode ?? "unknown";
    return { flipped: text === "" ? undefined : (JSON.parse(text) as Flipped), exit, publishers };
  } finally {
    isOver = true;
    publisher?.kill("SIGTERM");
    await published;
    await rm(directory, { recursive: true });
  }
}
