import { simulate } from "./simulate.js";

/** Runs the seeds. Throws at the first that breaks a rule, with the command that replays it. */
export async function runSeeds(first: number, count: number): Promise<void> {
  for (let seed = first; seed < first + count; seed++) {
    const { violations } = await simulate(seed);
    if (violations.length === 0) continue;
    const replay = `npm run sim -- --seed ${seed} --trace`;
    throw new Error(`seed ${seed} failed:\n  ${violations.join("\n  ")}\nReplay it with: ${replay}`);
  }
}
