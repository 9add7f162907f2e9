import { describe, expect, it } from "vitest";
import { MUTANTS, type MutantName, plant } from "./mutants.js";
import { Random } from "./random.js";
import { drawScenario } from "./scenario.js";
import { simulate } from "./simulate.js";

describe("the simulation", () => {
  it("does the same in each run of a seed", async () => {
    for (const seed of [3, 20, 39, 138, 207, 370, 723, 1_000_000_007]) {
      const first = await simulate(seed, true);
      const second = await simulate(seed, true);
      expect(second.trace).toEqual(first.trace);
      expect(second.hash).toBe(first.hash);
    }
  });

  it("does something else for each seed", async () => {
    const hashes = new Set<number>();
    for (let seed = 1; seed <= 20; seed++) hashes.add((await simulate(seed)).hash);
    expect(hashes.size).toBe(20);
  });

  it("draws every kind of work and of fault", () => {
    const scenarios = Array.from({ length: 300 }, (_, seed) => drawScenario(new Random(seed)));
    const share = (has: (scenario: (typeof scenarios)[number]) => boolean): number =>
      scenarios.filter(has).length / scenarios.length;
    expect(share(({ faults }) => faults.cutChance > 0)).toBeGreaterThan(0.05);
    expect(share(({ faults }) => faults.corruptChance > 0)).toBeGreaterThan(0.05);
    expect(share(({ faults }) => faults.stallChance > 0)).toBeGreaterThan(0.05);
    expect(share(({ faults }) => faults.splitChance > 0)).toBeGreaterThan(0.05);
    expect(share(({ earlyClose }) => earlyClose !== undefined)).toBeGreaterThan(0.05);
    expect(share(({ fragmentBytes }) => fragmentBytes < 1_000_000)).toBeGreaterThan(0.05);
    for (const overflow of ["dropOldest", "dropNewest", "block", "disconnect"]) {
      expect(share(({ topics }) => topics.some(({ rules }) => rules.overflow === overflow))).toBeGreaterThan(
        0.05,
      );
    }
    for (const kind of ["say", "count", "sum", "chat", "note"] as const) {
      expect(share(({ callKinds }) => callKinds.includes(kind))).toBeGreaterThan(0.05);
    }
  });
});

describe("a planted bug is found", () => {
  for (const name of Object.keys(MUTANTS) as MutantName[]) {
    it(name, async () => {
      const uproot = plant(name);
      try {
        let found: string | undefined;
        for (let seed = 1; seed <= 100 && found === undefined; seed++)
          found = (await simulate(seed)).violations[0];
        expect(found).toBeDefined();
      } finally {
        uproot();
      }
    });
  }
});
