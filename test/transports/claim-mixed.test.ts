import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { endpointDirectory, type Entry, readEntry } from "../../transports/directory/index.js";
import { compile, missingCompiler } from "../adversaries/compile.js";
import { shmBinding } from "../harness/shm.js";
import { type Child, startFile, startProgram } from "./child.js";
import { newFolder } from "./folder.js";

const missing = shmBinding() === undefined ? "the addon is not built" : await missingCompiler();
const ROUNDS = 200;
const IN_C = 2;
const LATE_MS = 3;
const NO_ADDON = { ...process.env, PROTOIPC_ADDON: "/nowhere/protoipc.node" };
const children: Child[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) await child.kill("SIGKILL");
});

type Answer = Record<string, unknown>;

/** Node without the addon, Node with it, and C: the kind of the one that had this place before stays. */
async function startKind(kind: number, root: string, native: string): Promise<Child> {
  const args = [root, "default"];
  const starts = [
    () => startProgram("contender", args, NO_ADDON),
    () => startProgram("contender", args),
    () => startFile("contender in C", native, args),
  ];
  const child = await starts[kind % starts.length]!();
  children.push(child);
  return child;
}

interface Seen {
  readonly entry: Entry | undefined;
  readonly inodes: readonly (number | bigint)[];
}

async function look(directory: string): Promise<Seen> {
  expect((await readdir(directory)).filter((file) => !file.includes("~")).sort()).toEqual([
    "entry",
    "secret",
  ]);
  const files = [directory, join(directory, "entry"), join(directory, "secret")];
  const inodes = await Promise.all(files.map(async (file) => (await lstat(file)).ino));
  return { entry: await readEntry(directory), inodes };
}

describe.skipIf(missing !== undefined)(
  `one name, Node without and with the addon, and C${missing === undefined ? "" : `: ${missing}`}`,
  () => {
    it(`is won by one of sixteen in each of ${ROUNDS} rounds, and stays with it whoever closes`, {
      timeout: 120_000,
    }, async () => {
      const native = await compile({
        name: "contender",
        sources: ["test/programs/contender.c"],
        flags: ["-O2", "-g"],
      });
      const root = join(await newFolder(), "root");
      const directory = endpointDirectory({ path: root, rule: "PROTOIPC_DIR" }, "default", "market");
      const contenders = await Promise.all(
        Array.from({ length: 16 }, (_value, i) => startKind(i, root, native)),
      );
      const wins = [0, 0, 0];
      let owner: Child | undefined;
      for (let round = 0; round < ROUNDS; round++) {
        const before = owner;
        let released: Promise<unknown> = Promise.resolve();
        if (owner !== undefined && round % 20 === 19) {
          const place = contenders.indexOf(owner);
          await owner.kill("SIGKILL");
          contenders[place] = await startKind(place, root, native);
          owner = undefined;
        } else if (owner !== undefined) {
          released = owner.ask("release");
          // In every other round it closes while the others claim already.
          if (round % 2 === 0) await released;
        }
        const overlaps = owner !== undefined && round % 2 === 1;
        const others = overlaps ? contenders.filter((child) => child !== before) : contenders;
        // C would always be the first: in six rounds of eight it comes later.
        const lateMs = (Math.floor(round / 2) % 4) * LATE_MS;
        const claim = async (child: Child): Promise<Answer> => {
          if (lateMs > 0 && contenders.indexOf(child) % 3 === IN_C) await sleep(lateMs);
          return child.ask("claim market");
        };
        const claimAll = (): Promise<Answer[]> => Promise.all(others.map(claim));
        let answers = await claimAll();
        await released;
        // All of them may have met the owner before, which then was one still.
        if (overlaps && answers.every(({ won }) => won !== true)) {
          for (const { message } of answers)
            expect(message).toContain(`is taken by process ${before?.process.pid};`);
          answers = await claimAll();
        }
        const winners = others.filter((_child, i) => answers[i]?.["won"] === true);
        expect(winners.length, `winners of round ${round}: ${JSON.stringify(answers)}`).toBe(1);
        owner = winners[0]!;
        const pids = [owner.process.pid, ...(overlaps ? [before?.process.pid] : [])];
        for (const { won, kind, message } of answers) {
          if (won === true) continue;
          expect(kind).toBe("inUse");
          expect(
            pids.some((pid) => String(message).includes(`is taken by process ${pid};`)),
            String(message),
          ).toBe(true);
        }
        wins[contenders.indexOf(owner) % 3]!++;
        const seen = await look(directory);
        expect(seen.entry?.pid).toBe(owner.process.pid);
        const losers = others.filter((child) => child !== owner);
        await Promise.all(losers.map((child) => child.ask("release")));
        expect(await look(directory)).toEqual(seen);
      }
      for (const won of wins) expect(won).toBeGreaterThan(0);
    });
  },
);
