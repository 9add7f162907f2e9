import { parseArgs } from "node:util";
import { isMutant, MUTANTS, plant } from "./mutants.js";
import { simulate } from "./simulate.js";

const USAGE = `Usage: npm run sim -- [options]

Runs the session under deterministic simulation, one run for each seed.

  --seeds N        how many seeds to run (100)
  --seed S         the first seed (1); alone: only this one
  --trace          print what happens in each run
  --mutant NAME    plant a bug first; the run must then fail
  --list-mutants   print the names of the bugs that can be planted
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string" },
      seed: { type: "string" },
      trace: { type: "boolean", default: false },
      mutant: { type: "string" },
      "list-mutants": { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (values["list-mutants"]) {
    process.stdout.write(`${Object.keys(MUTANTS).join("\n")}\n`);
    return 0;
  }
  const first = wholeNumber("--seed", values.seed ?? "1");
  const count = wholeNumber("--seeds", values.seeds ?? (values.seed === undefined ? "100" : "1"));
  const { mutant } = values;
  if (mutant !== undefined) {
    if (!isMutant(mutant))
      throw new RangeError(`there is no mutant ${mutant}; there are: ${Object.keys(MUTANTS).join(", ")}`);
    plant(mutant);
  }
  return runSeeds(first, count, values.trace, mutant);
}

async function runSeeds(
  first: number,
  count: number,
  trace: boolean,
  mutant: string | undefined,
): Promise<number> {
  const startMs = performance.now();
  let events = 0;
  let calls = 0;
  for (let seed = first; seed < first + count; seed++) {
    const outcome = await simulate(seed, trace);
    events += outcome.events;
    calls += outcome.calls;
    if (trace) {
      process.stdout.write(
        `${JSON.stringify(outcome.scenario, undefined, 1)}\n${outcome.trace.join("\n")}\n`,
      );
      process.stdout.write(
        `seed ${seed}: ${outcome.events} events, trace hash ${outcome.hash.toString(16)}\n`,
      );
    }
    if (outcome.violations.length === 0) continue;
    const replay = `npm run sim -- --seed ${seed}${mutant === undefined ? "" : ` --mutant ${mutant}`} --trace`;
    process.stderr.write(
      `seed ${seed} failed:\n  ${outcome.violations.join("\n  ")}\nReplay it with: ${replay}\n`,
    );
    return 1;
  }
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  process.stdout.write(`${count} seeds hold: ${calls} calls, ${events} events, ${seconds} s\n`);
  return 0;
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new RangeError(`${option} is ${JSON.stringify(text)}; it must be a whole number from 0`);
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  process.exitCode = 2;
}
