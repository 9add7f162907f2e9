import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { missingCompiler, ROOT } from "./compile.js";
import { type Outcome, STALL_MS } from "./outcome.js";
import { compileAdversary, compileVictims, play, type Victims } from "./pair.js";
import { ECLOSED, nameOf, type Row, tableOf } from "./row.js";
import { BLOCK_ROWS } from "./rows-blocks.js";
import { LINK_ROWS } from "./rows-links.js";

const ROWS: readonly Row[] = [...LINK_ROWS, ...BLOCK_ROWS];

const missing = await missingCompiler();
const isRoot = process.geteuid?.() === 0;

/** Nobody waits this long on a machine that works, however loaded. */
const BOUND_MS = 10_000;

/** An outcome as one reads it: of many ends the last few. */
function told(outcome: Outcome): string {
  return JSON.stringify({ ...outcome, ends: outcome.ends.slice(-3), of: outcome.ends.length }, undefined, 1);
}

function check({ codes, reason, isEnded, bound }: Row, outcome: Outcome): void {
  const { report, honest, late, hostile, ends } = outcome;
  expect(outcome.victimErrors, "the victim's sanitizers").toBe("");
  expect(outcome.victimExit).toBe(0);
  expect(outcome.hostileErrors).toBe("");
  for (const client of late === undefined ? [honest] : [honest, late])
    expect({ error: client.error, reason: client.reason }).toEqual({ error: "", reason: "" });
  expect(report).toMatchObject({ leakedFds: 0, leakedMaps: 0, blocksLeft: 0 });
  expect(report!.honest.wrong).toBe(0);
  expect(hostile!.links).toBeGreaterThan(0);
  if (isEnded) expect(hostile!.ended, "links that the victim ended").toBe(hostile!.links);
  for (const end of ends.filter((each) => each.end === "hostile")) {
    expect(codes, end.reason).toContain(end.code);
    if (end.code !== ECLOSED && reason !== undefined) expect(end.reason).toMatch(reason);
  }
  expect(bound?.(outcome)).toBeUndefined();
}

it("are all in the README's table", async () => {
  const readme = await readFile(join(ROOT, "test/adversaries/README.md"), "utf8");
  expect(readme, "paste this into README.md").toContain(tableOf(ROWS));
});

if (process.env["CI"] === "true") {
  it("can compile the adversaries", () => {
    expect(missing).toBeUndefined();
  });
}

describe.skipIf(missing !== undefined)(`adversaries${missing === undefined ? "" : `: ${missing}`}`, () => {
  let whole: Victims;
  let weakened: Victims;

  beforeAll(async () => {
    [whole, weakened] = await Promise.all([compileVictims(false), compileVictims(true)]);
    for (const program of new Set(ROWS.map((row) => row.program))) await compileAdversary(program);
  }, 120_000);

  for (const row of ROWS) {
    const list = row.asRoot ? it.runIf(isRoot) : it;
    list(
      `${nameOf(row)}: without ${row.check} ${row.without.text}; with it nobody is harmed`,
      async () => {
        const adversary = await compileAdversary(row.program);
        const weak = await play(
          weakened,
          adversary,
          row,
          { stallMs: STALL_MS, patienceMs: row.without.patienceMs, variants: 1 },
          row.check,
        );
        expect(row.without.seen(weak), `it must succeed first: ${told(weak)}`).toBe(true);
        // And the judgement below is one that sees it.
        expect(() => check(row, weak)).toThrow();
        const outcome = await play(whole, adversary, row, { stallMs: BOUND_MS, patienceMs: 5_000 });
        check(row, outcome);
      },
      60_000,
    );
  }
});
