import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadBinding } from "../bindings/node/binding.js";
import { defaultCompiler, missingCompiler, ROOT } from "../test/adversaries/compile.js";
import { type CoreSoak, soakCore } from "../test/soak/soak-core.js";
import { type NodeSoak, soakNode } from "../test/soak/soak-node.js";

const USAGE = `Usage: npm run soak -- [options]

Kills real processes at moments chosen by chance, starts them again, and holds the survivors to what the dead had
committed: pairs of C processes over the core, then a server and clients in Node.

  --kills N        of C processes (300)
  --node-kills N   of Node processes (a fiftieth of --kills, 20 at least)
  --seed S         what chance begins with (the time)
  --record         write bench/results/soak.json and soak.md
`;

interface Recorded {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly memoryBytes: number;
  readonly node: string;
  readonly compiler: string;
  readonly version: string;
  readonly seed: number;
  readonly core: CoreSoak | undefined;
  readonly endpoints: NodeSoak | undefined;
}

function count(value: number): string {
  return value.toLocaleString("en");
}

function tableOf({ core, endpoints, ...machine }: Recorded): string {
  const lines = [
    "# Soak",
    "",
    "Written by `npm run soak -- --record`; what it does is in `test/soak`.",
    "",
    `${machine.date}, ${machine.cpu}, ${machine.cores} cores, ${Math.round(machine.memoryBytes / 2 ** 30)} GiB, ${machine.kernel}, Node ${machine.node}, ${machine.compiler}, protoipc ${machine.version}, seed ${machine.seed}`,
    "",
    "| | C processes over the core | Node processes with endpoints |",
    "| --- | ---: | ---: |",
  ];
  const row = (what: string, ofCore: number | undefined, ofNode: number | undefined): void => {
    const cell = (value: number | undefined): string => (value === undefined ? "-" : count(value));
    lines.push(`| ${what} | ${cell(ofCore)} | ${cell(ofNode)} |`);
  };
  row("processes killed with SIGKILL", core?.kills, endpoints?.kills);
  row("links", core?.links, undefined);
  row("records, calls and publications checked", core?.records, endpoints?.checked);
  row("of these in blocks", core?.blocks, undefined);
  row("bytes checked", core?.bytes, endpoints?.bytes);
  row("ends held to what the dead had committed", core?.endsChecked, undefined);
  row("audits of descriptors, mappings and blocks", core?.audits, endpoints?.audits);
  row("calls and subscriptions that a kill has ended", undefined, endpoints?.unavailable);
  row("seconds", core && Math.round(core.ms / 1_000), endpoints && Math.round(endpoints.ms / 1_000));
  // Only a run in which everything holds is recorded.
  for (const what of ["torn", "twice", "out of order", "left in /dev/shm"])
    row(what, core && 0, endpoints && 0);
  row("lost after commit", core && 0, undefined);
  row("calls not settled", undefined, endpoints && 0);
  return `${lines.join("\n")}\n`;
}

function report(what: string, checked: number, result: CoreSoak | NodeSoak): void {
  const seconds = (result.ms / 1_000).toFixed(1);
  const outcome = result.failure === "" ? "nothing torn, lost, repeated or left behind" : result.failure;
  process.stdout.write(
    `${what}: ${count(result.kills)} kills, ${count(checked)} checked, ${seconds} s: ${outcome}\n`,
  );
}

function record(seed: number, core: CoreSoak | undefined, endpoints: NodeSoak | undefined): void {
  const compiler = execFileSync(defaultCompiler(), ["--version"], { encoding: "utf8" }).split("\n")[0]!;
  const manifest = execFileSync("node", ["-p", "require('./package.json').version"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  const result: Recorded = {
    date: new Date().toISOString().slice(0, 10),
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    kernel: `${type()} ${release()}`,
    memoryBytes: totalmem(),
    node: process.versions.node,
    compiler,
    version: manifest.trim(),
    seed,
    core,
    endpoints,
  };
  const base = join(ROOT, "bench/results/soak");
  writeFileSync(`${base}.json`, `${JSON.stringify(result, undefined, 2)}\n`);
  writeFileSync(`${base}.md`, tableOf(result));
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new RangeError(`${option} is ${JSON.stringify(text)}; it must be a whole number from 0`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      kills: { type: "string", default: "300" },
      "node-kills": { type: "string" },
      seed: { type: "string" },
      record: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const kills = wholeNumber("--kills", values.kills);
  const nodeKills = wholeNumber(
    "--node-kills",
    values["node-kills"] ?? `${Math.max(20, Math.ceil(kills / 50))}`,
  );
  const seed = wholeNumber("--seed", values.seed ?? `${Date.now() % 1_000_000}`);
  const missing = await missingCompiler();
  if (missing !== undefined) throw new Error(missing);
  process.stdout.write(`seed ${seed}\n`);
  let core: CoreSoak | undefined;
  if (kills > 0) {
    core = await soakCore(kills, seed);
    report("C processes", core.records, core);
  }
  let endpoints: NodeSoak | undefined;
  const loaded = loadBinding();
  const reason = loaded.binding === undefined ? loaded.reason : undefined;
  if (nodeKills > 0 && reason !== undefined)
    process.stdout.write(`no endpoints over shared memory: ${reason}\n`);
  if (nodeKills > 0 && reason === undefined) {
    endpoints = await soakNode(nodeKills, seed);
    report("Node processes", endpoints.checked, endpoints);
  }
  const failed = [core, endpoints].some((result) => result !== undefined && result.failure !== "");
  if (values.record && !failed) record(seed, core, endpoints);
  return failed ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  process.exitCode = 2;
}
