/** The benchmark of codecs: `npm run bench:codec`. Writes bench/results/codec-node-MAJOR.json and .md. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, type } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { median } from "../statistics.js";
import { generate, repository } from "./generate.js";
import { LIBRARIES, type LibraryName } from "./libraries.js";
import type { Times } from "./program.js";
import { SAMPLES, type SampleName } from "./samples.js";

const PROGRAM = join(import.meta.dirname, "program.js");
const PACKAGES = ["@bufbuild/protobuf", "ts-proto", "protobufjs"];
const OPERATIONS = ["encode", "encodeInto", "decode", "decodeViews"] as const;
type Operation = (typeof OPERATIONS)[number];

const HEADS: Readonly<Record<Operation, string>> = {
  encode: "encode",
  encodeInto: "encode into a given buffer",
  decode: "decode",
  decodeViews: "decode with views",
};

/** How many times as fast as protobuf-es an operation is to be, and which library it is to be faster than, too. */
const TARGETS: readonly {
  readonly sample: SampleName;
  readonly operation: Operation;
  readonly times: number;
  readonly above: LibraryName;
}[] = [
  { sample: "Small", operation: "encodeInto", times: 8, above: "protobufjs" },
  { sample: "Small", operation: "decode", times: 4, above: "ts-proto" },
  { sample: "Medium", operation: "encodeInto", times: 3.5, above: "protobufjs" },
  { sample: "Medium", operation: "decode", times: 2.3, above: "ts-proto" },
];
/** How many copies of a large message encoding one may cost. */
const LARGE_COPIES = 1.25;

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, ms: { type: "string", default: "400" } },
});
const rounds = Number(values.rounds);
const milliseconds = Number(values.ms);

generate();
const header = {
  date: new Date().toISOString(),
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: cpus().length,
  kernel: `${type()} ${release()}`,
  loadAverage: loadavg().map((load) => Math.round(load * 100) / 100),
  versions: Object.fromEntries([
    ["node", process.versions.node],
    ...PACKAGES.map((name) => [name, packageVersion(name)]),
  ]),
  rounds,
  milliseconds,
};

interface Row {
  readonly sample: SampleName;
  readonly library: LibraryName;
  readonly bytes: number;
  /** Nanoseconds for copying the encoded message. */
  readonly copy: number;
  /** Nanoseconds for one: the median over the rounds. */
  readonly times: Partial<Record<Operation, number>>;
}

const measured = new Map<string, Times[]>();
for (let round = 1; round <= rounds; round++) {
  for (const sample of SAMPLES) {
    for (const library of LIBRARIES) {
      const output = execFileSync(process.execPath, [PROGRAM, library, sample, String(milliseconds)]);
      const key = `${sample} ${library}`;
      measured.set(key, [...(measured.get(key) ?? []), JSON.parse(String(output)) as Times]);
      process.stderr.write(`round ${round} of ${rounds}: ${key}\n`);
    }
  }
}

const rows = SAMPLES.flatMap((sample) => LIBRARIES.map((library) => rowOf(sample, library)));
const report = { header, rows };
const path = join(repository, `bench/results/codec-node-${process.versions.node.split(".")[0]}`);
writeFileSync(`${path}.json`, `${JSON.stringify(report, undefined, 2)}\n`);
writeFileSync(`${path}.md`, toMarkdown());
process.stdout.write(toMarkdown());

function rowOf(sample: SampleName, library: LibraryName): Row {
  const all = measured.get(`${sample} ${library}`)!;
  const times: Partial<Record<Operation, number>> = {};
  for (const operation of OPERATIONS) {
    const given = all.map((one) => one[operation]).filter((time) => time !== undefined);
    if (given.length > 0) times[operation] = Math.round(median(given) * 10) / 10;
  }
  const copy = Math.round(median(all.map((one) => one.copy)));
  return { sample, library, bytes: all[0]!.bytes, copy, times };
}

/** How many times as fast as protobuf-es. Into a given buffer it has to encode all the same, and views it always makes. */
function ratio(sample: SampleName, library: LibraryName, operation: Operation): number | undefined {
  const find = (name: LibraryName) =>
    rows.find((row) => row.sample === sample && row.library === name)!.times;
  const time = find(library)[operation];
  const base = find("protobuf-es")[operation.startsWith("encode") ? "encode" : "decode"];
  return time === undefined || base === undefined ? undefined : base / time;
}

function toMarkdown(): string {
  const versions = Object.entries(header.versions).map(([name, version]) => `${name} ${version}`);
  const lines = [
    "# Codecs",
    "",
    "Written by `npm run bench:codec`; bench/README.md says how to read it.",
    "",
    `- ${header.date}, ${header.cpu}, ${header.cores} cores, ${header.kernel}, load ${header.loadAverage.join(" ")}`,
    `- ${versions.join(", ")}`,
    `- the median of ${rounds} processes for each cell, ${milliseconds} ms of warm-up and as much measured`,
  ];
  for (const sample of SAMPLES) {
    const own = rows.filter((row) => row.sample === sample);
    const { bytes } = own.find(({ library }) => library === "protoipc")!;
    lines.push("", `## ${sample}, ${bytes} bytes`, "");
    lines.push(`| | ${OPERATIONS.map((operation) => HEADS[operation]).join(" | ")} |`);
    lines.push(`| --- | ${OPERATIONS.map(() => "---:").join(" | ")} |`);
    for (const { library, times } of own) {
      const cells = OPERATIONS.map((operation) => {
        const time = times[operation];
        const faster = ratio(sample, library, operation);
        return time === undefined || faster === undefined ? "-" : `${format(time)} (${faster.toFixed(1)})`;
      });
      lines.push(`| ${library} | ${cells.join(" | ")} |`);
    }
  }
  lines.push("", "## Targets", "", "| | target | this run |", "| --- | ---: | ---: |");
  for (const { sample, operation, times, above } of TARGETS) {
    const reached = ratio(sample, "protoipc", operation)!;
    const other = ratio(sample, above, operation.startsWith("encode") ? "encode" : "decode")!;
    const verdict = reached >= times && reached > other ? "met" : "not met";
    lines.push(
      `| ${sample}, ${HEADS[operation]} | ${times} times protobuf-es, above ${above} (${other.toFixed(1)}) | ${reached.toFixed(1)} times, ${verdict} |`,
    );
  }
  const large = rows.find((row) => row.sample === "Large" && row.library === "protoipc")!;
  const copies = large.times.encodeInto! / large.copy;
  const verdict = copies <= LARGE_COPIES ? "met" : "not met";
  lines.push(
    `| Large, ${HEADS.encodeInto} | one copy (${format(large.copy)}) | ${copies.toFixed(2)} copies, ${verdict} |`,
  );
  return `${lines.join("\n")}\n`;
}

function format(ns: number): string {
  return ns < 10_000 ? `${Math.round(ns)} ns` : `${(ns / 1_000).toFixed(1)} µs`;
}

function packageVersion(name: string): string {
  const path = join(repository, "node_modules", name, "package.json");
  return (JSON.parse(readFileSync(path, "utf8")) as { readonly version: string }).version;
}
