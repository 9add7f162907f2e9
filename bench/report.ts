import Table from "cli-table3";
import { CASES, type Case, describeScenario, formatBytes, type Scenario } from "./cases.js";
import type { Header } from "./machine.js";
import type { Measured } from "./measure.js";
import { PEER_NAMES } from "./peers/index.js";
import { median } from "./statistics.js";
import type { Target } from "./targets.js";

/** One scenario of one peer. */
export interface Row extends Scenario {
  readonly peer: string;
  readonly unit: Case["unit"];
  /** The median over the rounds. */
  readonly median: number;
  /** The median over the rounds of the 99th percentile of single times, in microseconds; `null` without such. */
  readonly p99: number | null;
  /** As `p99`, of the 99.9th percentile; `null` too where there were too few times. */
  readonly p999: number | null;
  /** The value of each round. */
  readonly rounds: readonly number[];
}

/** What `--json` writes. */
export interface Report {
  readonly header: Header;
  readonly rows: readonly Row[];
  /** The programs that gave no result. */
  readonly failures: readonly string[];
  /** What the rows say of the targets. */
  readonly targets: readonly Target[];
}

/** The rounds of one scenario of one peer as a row. */
export function toRow(
  scenario: Scenario,
  unit: Case["unit"],
  peer: string,
  rounds: readonly Measured[],
): Row {
  const values = rounds.map(({ value }) => value);
  return {
    ...scenario,
    peer,
    unit,
    median: round(median(values)),
    p99: medianOf(rounds.map(({ p99 }) => p99)),
    p999: medianOf(rounds.map(({ p999 }) => p999)),
    rounds: values.map(round),
  };
}

function medianOf(values: readonly (number | null)[]): number | null {
  const present = values.filter((value) => value !== null);
  return present.length === 0 ? null : round(median(present));
}

/** For the terminal. */
export function printReport(report: Report): string {
  const tables = matricesOf(report).map(({ title, cells: [head, ...rows] }) => {
    const table = new Table({ head: head ?? [], style: { head: [], border: [] } });
    table.push(...rows);
    return `${title}\n${table.toString()}`;
  });
  return [headerLines(report.header).join("\n"), ...tables, ...failureLines(report)].join("\n\n");
}

/** For the repository. */
export function toMarkdown(report: Report): string {
  const tables = matricesOf(report).map(({ title, cells: [head = [], ...rows] }) => {
    const rule = head.map((_, column) => (column === 0 ? "---" : "---:"));
    const lines = [head, rule, ...rows].map((cells) => `| ${cells.join(" | ").replaceAll("\n", "<br>")} |`);
    return `## ${title}\n\n${lines.join("\n")}`;
  });
  return [
    "# Benchmark results\n\nWritten by `npm run bench`; bench/README.md says how to read it.",
    headerLines(report.header)
      .map((line) => `- ${line}`)
      .join("\n"),
    ...tables,
    ...failureLines(report),
    "",
  ].join("\n\n");
}

interface Matrix {
  readonly title: string;
  /** The head, then a line per scenario with a column per peer, or a line per target. */
  readonly cells: readonly string[][];
}

function matricesOf(report: Report): Matrix[] {
  return [...caseMatrices(report), targetMatrix(report)];
}

/** A table has the peers that ran in it, whether or not they gave a result. */
function caseMatrices({ rows, failures }: Report): Matrix[] {
  return CASES.flatMap((benchCase) => {
    const scenarios = benchCase.scenarios.filter((scenario) => rows.some((row) => isOf(row, scenario)));
    if (scenarios.length === 0) return [];
    const peers = PEER_NAMES.filter((peer) =>
      scenarios.some(
        (scenario) =>
          rows.some((row) => row.peer === peer && isOf(row, scenario)) || hasFailed(failures, scenario, peer),
      ),
    );
    const lines = scenarios.map((scenario) => {
      const found = rows.filter((row) => isOf(row, scenario));
      const base = found.find((row) => row.peer === benchCase.base);
      const cells = peers.map((peer) => {
        const row = found.find((candidate) => candidate.peer === peer);
        if (row !== undefined) return cell(row, base, benchCase.better);
        return hasFailed(failures, scenario, peer) ? "failed" : "-";
      });
      return [label(scenario), ...cells];
    });
    const { name, title, unit, base } = benchCase;
    const described = `${name}: ${title} (${unit}; x: times ${COMPARISONS[unit]} ${base})`;
    return [{ title: described, cells: [["", ...peers], ...lines] }];
  });
}

/** What a ratio above 1 says. */
const COMPARISONS: Readonly<Record<Case["unit"], string>> = {
  us: "as fast as",
  ns: "as cheap as",
  "calls/s": "the rate of",
  "messages/s": "the rate of",
};

function targetMatrix({ targets }: Report): Matrix {
  const lines = targets.map(({ lane, base, kind, target, measured, verdict }) => [
    lane,
    base,
    `${kind === "times as good" ? "at least" : "at most"} ${target} ${kind}`,
    measured === null ? "-" : format(measured),
    verdict,
  ]);
  return { title: "Targets", cells: [["", "compared with", "target", "measured", ""], ...lines] };
}

function hasFailed(failures: readonly string[], scenario: Scenario, peer: string): boolean {
  return failures.some((failure) => failure.startsWith(`${describeScenario(scenario)} ${peer}:`));
}

function cell(row: Row, base: Row | undefined, better: Case["better"]): string {
  const lines = [format(row.median)];
  if (row.p99 !== null) lines.push(`p99 ${format(row.p99)}`);
  if (row.p999 !== null) lines.push(`p99.9 ${format(row.p999)}`);
  if (base !== undefined) {
    const times = better === "lower" ? base.median / row.median : row.median / base.median;
    lines.push(`${times.toPrecision(times >= 100 ? 3 : 2)} x`);
  }
  return lines.join("\n");
}

function label({ sizeBytes, inFlight, subscribers }: Scenario): string {
  const parts = [formatBytes(sizeBytes)];
  if (inFlight !== null) parts.push(`${inFlight} in flight`);
  if (subscribers !== null) parts.push(subscribers === 1 ? "1 subscriber" : `${subscribers} subscribers`);
  return parts.join(", ");
}

function headerLines(header: Header): string[] {
  const { pinning, versions } = header;
  return [
    `${header.date}, load average ${header.loadAverage.join(", ")}`,
    `${header.cpu}, ${header.cores} CPUs, ${(header.memoryBytes / 2 ** 30).toFixed(1)} GiB, ${header.kernel}`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", "),
    pinning.kind === "pinned"
      ? `servers pinned to CPU ${pinning.cpus.server}, clients to CPU ${pinning.cpus.client}`
      : `processes not pinned: ${pinning.reason}`,
    `${header.rounds} rounds; each program warms up for ${header.warmUpMs} ms and is measured for ${header.measureMs} ms`,
  ];
}

function failureLines({ failures }: Report): string[] {
  return failures.length === 0 ? [] : [["Without a result:", ...failures].join("\n")];
}

function isOf(row: Row, scenario: Scenario): boolean {
  return describeScenario(row) === describeScenario(scenario);
}

function format(value: number): string {
  const digits = value < 10 ? 3 : value < 1_000 ? 1 : 0;
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
