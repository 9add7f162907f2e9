import { parseArgs } from "node:util";
import { missingCompiler } from "../test/adversaries/compile.js";
import { CORE_TARGETS, fuzzCore, hasLibFuzzer } from "./fuzz-core.js";
import { fuzzFrames } from "./fuzz-frames.js";

const TARGETS = [...CORE_TARGETS, "frames"] as const;
type Target = (typeof TARGETS)[number];

const USAGE = `Usage: npm run fuzz -- [options]

Feeds what a peer can say to what has to bear it, changed at random: the C core under AddressSanitizer and
UndefinedBehaviorSanitizer, and the frame parser. With clang and its libFuzzer what covers new code is kept and changed
further; without them the corpus is changed blindly.

  --seconds N      for all targets together (60)
  --target NAME    one of ${TARGETS.join(", ")}; may be given more than once (all)
  --blind          without libFuzzer, also where it is there
  --corpus DIR     keep what libFuzzer finds, a folder for each target, in DIR
`;

function isTarget(name: string): name is Target {
  return (TARGETS as readonly string[]).includes(name);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "60" },
      target: { type: "string", multiple: true },
      blind: { type: "boolean", default: false },
      corpus: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const seconds = Number(values.seconds);
  if (!(seconds > 0))
    throw new RangeError(`--seconds is ${JSON.stringify(values.seconds)}; it must be above 0`);
  const asked = values.target ?? [...TARGETS];
  const unknown = asked.find((name) => !isTarget(name));
  if (unknown !== undefined) throw new RangeError(`there is no target ${unknown}`);
  const targets = asked.filter(isTarget);
  if (targets.some((target) => target !== "frames")) {
    const missing = await missingCompiler();
    if (missing !== undefined) throw new Error(missing);
  }
  const isBlind = values.blind || !(await hasLibFuzzer());
  if (isBlind) process.stdout.write("no libFuzzer here: the corpus is changed blindly\n");
  let failed = 0;
  for (const target of targets) {
    const share = seconds / targets.length;
    const done =
      target === "frames"
        ? await fuzzFrames(share)
        : await fuzzCore({ target, seconds: share, isBlind, keepIn: values.corpus });
    const covered = done.coverage === undefined ? "" : `, ${done.coverage} edges`;
    const perSecond = Math.round(done.executions / share).toLocaleString("en");
    process.stdout.write(
      `${target}: ${done.executions.toLocaleString("en")} executions, ${perSecond} a second${covered}\n`,
    );
    if (done.crash === undefined) continue;
    failed = 1;
    process.stderr.write(`${done.crash.text}\n${target} failed; the input is in ${done.crash.file}\n`);
  }
  return failed;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  process.exitCode = 2;
}
