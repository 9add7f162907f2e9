/** The benchmark: `npm run bench -- --help`. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { CASES, describeScenario } from "./cases.js";
import { describeMachine, loadPeers } from "./machine.js";
import type { Measured } from "./measure.js";
import { hasCase, PEER_NAMES } from "./peers/index.js";
import { choosePinning } from "./pinning.js";
import { type Program, runProgram } from "./program.js";
import { printReport, type Report, toMarkdown, toRow } from "./report.js";
import { judge } from "./targets.js";

const FULL = { rounds: 3, warmUpMs: 1_500, measureMs: 500 };
const QUICK = { rounds: 1, warmUpMs: 1_000, measureMs: 250 };

/** Where a whole run of at least `FULL.rounds` rounds leaves its results, seen from dist/bench. */
const RESULTS = join(import.meta.dirname, "../../bench/results");

const HELP = `Usage: npm run bench -- [options]

Measures calls, streams, one-way messages, publishing and bare records of protoipc and of other ways for two processes
to talk, and says which targets were met.

  --only REGEXP  run only what matches, such as "unary-rtt 64B", "in-flight=64" or " net$";
                 matched against "CASE SIZE [in-flight=N] [subscribers=N] PEER"
  --rounds N     rounds over all peers, from 1 to 100; ${FULL.rounds} unless said, ${QUICK.rounds} with --quick
  --json FILE    write the results to FILE
  --quick        a rough picture in about five minutes: ${QUICK.warmUpMs} ms of warm-up and ${QUICK.measureMs} ms measured
                 instead of ${FULL.warmUpMs} ms and ${FULL.measureMs} ms
  --help         show this

Cases: ${CASES.map(({ name }) => name).join(", ")}
Peers: ${PEER_NAMES.join(", ")}

A run of everything that is not --quick also writes bench/results/latest.json and latest.md.
`;

interface Arguments {
  readonly only: RegExp | undefined;
  readonly rounds: number;
  readonly json: string | undefined;
  readonly quick: boolean;
}

/** One scenario of one peer, and what its rounds have brought. */
interface Entry {
  /** How often each round runs it. */
  readonly repeats: number;
  readonly program: Program;
  readonly name: string;
  readonly unit: (typeof CASES)[number]["unit"];
  readonly measured: Measured[];
}

const args = readArguments();
if (args !== undefined) await main(args);

function readArguments(): Arguments | undefined {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: "string" },
        rounds: { type: "string" },
        json: { type: "string" },
        quick: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      process.stdout.write(HELP);
      return undefined;
    }
    const rounds = Number(values.rounds ?? (values.quick ? QUICK.rounds : FULL.rounds));
    if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) {
      throw new Error(`--rounds is "${values.rounds}"; it must be a whole number from 1 to 100`);
    }
    const only = values.only === undefined ? undefined : new RegExp(values.only);
    return { only, rounds, json: values.json, quick: values.quick };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
    process.exitCode = 2;
    return undefined;
  }
}

async function main({ only, rounds, json, quick }: Arguments): Promise<void> {
  const { peers, missing } = await loadPeers();
  for (const reason of missing) process.stderr.write(`left out ${reason}\n`);
  const { warmUpMs, measureMs } = quick ? QUICK : FULL;
  const pinning = choosePinning();
  const header = await describeMachine(peers, pinning, { rounds, warmUpMs, measureMs });
  const cpus = pinning.kind === "pinned" ? pinning.cpus : null;

  const entries: Entry[] = CASES.flatMap(({ scenarios, unit, repeats = 1 }) =>
    scenarios.flatMap((scenario) =>
      peers
        .filter((peer) => hasCase(peer, scenario.case))
        .map(({ name: peer }) => ({
          program: { peer, scenario, cpus, warmUpMs, measureMs },
          name: `${describeScenario(scenario)} ${peer}`,
          unit,
          repeats,
          measured: [],
        })),
    ),
  ).filter(({ name }) => only === undefined || only.test(name));
  if (entries.length === 0) {
    process.stderr.write(`nothing matches --only ${only?.source}\n`);
    process.exitCode = 2;
    return;
  }

  const failures = await runRounds(entries, rounds);
  const rows = entries
    .filter(({ measured }) => measured.length > 0)
    .map(({ program, unit, measured }) => toRow(program.scenario, unit, program.peer, measured));
  const report: Report = { header, rows, failures, targets: judge(rows) };
  process.stdout.write(`${printReport(report)}\n`);
  if (json !== undefined) await write(json, toJson(report));
  if (only === undefined && !quick && missing.length === 0) {
    await write(join(RESULTS, "latest.json"), toJson(report));
    await write(join(RESULTS, "latest.md"), toMarkdown(report));
  }
  if (failures.length > 0) process.exitCode = 1;
}

/** What each round runs, in order: the peers of a scenario one after the other, as often as the case says. */
function planRound(entries: readonly Entry[]): Entry[] {
  const scenarios = new Set(entries.map(({ program }) => program.scenario));
  return [...scenarios].flatMap((scenario) => {
    const peers = entries.filter(({ program }) => program.scenario === scenario);
    return Array.from({ length: peers[0]!.repeats }, () => peers).flat();
  });
}

/** Runs all of every round. Returns what failed, and why. */
async function runRounds(entries: readonly Entry[], rounds: number): Promise<string[]> {
  const failures: string[] = [];
  const plan = planRound(entries);
  for (let round = 1; round <= rounds; round++) {
    for (const [index, { program, name, measured }] of plan.entries()) {
      showProgress(`round ${round}/${rounds}, ${index + 1}/${plan.length}: ${name}`);
      try {
        measured.push(await runProgram(program));
      } catch (error) {
        const failure = `${name}: round ${round} ${error instanceof Error ? error.message : error}`;
        failures.push(failure);
        showProgress("");
        process.stderr.write(`${failure}\n`);
      }
    }
  }
  showProgress("");
  return failures;
}

function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

function toJson(report: Report): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}
