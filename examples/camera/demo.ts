import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { open } from "protoipc";
import { Demo } from "../../gen/camera/v1/camera_protoipc.js";
import {
  EXIT_FAILED,
  EXIT_INTERRUPTED,
  EXIT_USAGE,
  ProgramError,
  run,
  wholeNumber,
} from "../hostwatch/command-line.js";
import { type Child, start, stopChild } from "./child.js";
import { demoResult, problemsOf } from "./demo-result.js";
import { HEIGHTS, WIDTHS } from "./frame-size.js";
import { KINDS } from "./readers.js";
import { type ProcessResult, resultOf } from "./report.js";
import { renderComparisons, renderTable } from "./table.js";

const TRANSPORTS = ["shm", "unix"];
const MOST_CONSUMERS = 8;
/** What large frames are compared with: 64 KiB. */
const SMALL_SIZE = "128x128";
/** How long the processes may take to find each other. */
const START_MS = 20_000;
/** How long the last frames and the reports may take. */
const END_MS = 10_000;

const HELP = `Usage: demo.js [options]

Starts a camera and consumers of its frames as processes of their own, lets them work for
a while, and prints what came of it as a table and a last line of JSON.

  --seconds N       for so long, 1 to 3600 (10)
  --fps N           frames per second, 1 to 1000 (60)
  --width N         in pixels, ${WIDTHS.least} to ${WIDTHS.most} (1920)
  --height N        in pixels, ${HEIGHTS.least} to ${HEIGHTS.most} (1080)
  --transport NAME  shm: frames stay where they are drawn; unix: they are copied (shm)
  --consumers N     how many, 1 to ${MOST_CONSUMERS}: checksum, histogram, snapshot, and again (3)
  --snapshots DIR   where PNG files go, the newest ten of which are kept (a new folder
                    among the temporary files)
  --compare         after that, the same time with frames of ${SMALL_SIZE} pixels, and how the
                    latencies compare; with one consumer, unless --consumers says more
  --help            this text

Exit codes: 0 all was as it must be, 1 something was not, 2 wrong arguments,
130 interrupted.
`;

await run(async (stop) => {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string" },
      fps: { type: "string" },
      width: { type: "string" },
      height: { type: "string" },
      transport: { type: "string", default: "shm" },
      consumers: { type: "string" },
      snapshots: { type: "string" },
      compare: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const { transport, compare } = values;
  if (!TRANSPORTS.includes(transport)) {
    const message = `--transport is ${JSON.stringify(transport)}; it must be ${TRANSPORTS.join(" or ")}`;
    throw new ProgramError(EXIT_USAGE, message);
  }
  const most = MOST_CONSUMERS;
  const count = wholeNumber("consumers", values.consumers, { fallback: compare ? 1 : 3, least: 1, most });
  const plan: Plan = {
    transport,
    seconds: wholeNumber("seconds", values.seconds, { fallback: 10, least: 1, most: 3600 }),
    fps: wholeNumber("fps", values.fps, { fallback: 60, least: 1, most: 1000 }),
    width: wholeNumber("width", values.width, { fallback: 1920, ...WIDTHS }),
    height: wholeNumber("height", values.height, { fallback: 1080, ...HEIGHTS }),
    compare,
    consumers: Array.from({ length: count }, (_, index) => {
      const kind = KINDS[index % KINDS.length]!;
      return index < KINDS.length ? kind : `${kind}-${Math.floor(index / KINDS.length) + 1}`;
    }),
    snapshots: values.snapshots,
  };

  const { reports, problems } = await show(plan, stop);
  const result = demoResult(plan, reports);
  // What did not run to its end did not add up either.
  if (!stop.aborted && problems.length === 0) problems.push(...problemsOf(result));
  process.stdout.write(`${renderTable(result)}\n`);
  for (const line of renderComparisons(result)) process.stdout.write(`${line}\n`);
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.stdout.write(`${JSON.stringify(result)}\n`);
  if (problems.length > 0) process.exitCode = EXIT_FAILED;
  if (stop.aborted) throw new ProgramError(EXIT_INTERRUPTED, "the demo was interrupted");
});

interface Plan {
  readonly transport: string;
  readonly seconds: number;
  readonly fps: number;
  readonly width: number;
  readonly height: number;
  readonly compare: boolean;
  readonly consumers: readonly string[];
  readonly snapshots: string | undefined;
}

interface Outcome {
  /** By the processes' names. */
  readonly reports: ReadonlyMap<string, ProcessResult>;
  /** What ended otherwise than well, a sentence each. */
  readonly problems: string[];
}

/** Runs the processes. Whatever happens, they are gone when this ends. */
async function show(plan: Plan, stop: AbortSignal): Promise<Outcome> {
  const { transport, consumers } = plan;
  const address = `${transport}:camera-${process.pid}`;
  const reportTo = `${transport}:camera-demo-${process.pid}`;
  const reports = new Map<string, ProcessResult>();
  // Over the transport that is asked for, so that its absence is told before anything is started.
  await using endpoint = await open({ name: reportTo });
  endpoint.serve(Demo, {
    report(report) {
      reports.set(report.name, resultOf(report));
      return {};
    },
  });
  if (transport !== "shm") process.stdout.write(`demo: over ${transport}, every frame is copied\n`);

  const problems: string[] = [];
  const children: Child[] = [];
  const launch = (program: "producer" | "consumer", name: string, args: readonly string[]): Child => {
    const child = start(program, name, [...args, "--report-to", reportTo]);
    children.push(child);
    void child.ended.then((problem) => {
      if (problem !== undefined) problems.push(problem);
    });
    return child;
  };
  try {
    const producer = launch("producer", "producer", producerArguments(plan, address));
    const snapshots = consumers.includes("snapshot") ? await snapshotFolder(plan.snapshots) : [];
    for (const name of consumers) {
      const kind = name.replace(/-\d+$/, "");
      launch("consumer", name, ["--kind", kind, "--name", name, "--from", address, ...snapshots]);
    }

    const runMs = plan.seconds * 1000 * (plan.compare ? 2 : 1);
    const interrupted = once(stop, "abort").catch(() => undefined);
    const isOver = await within(START_MS + runMs + END_MS, Promise.race([producer.ended, interrupted]));
    if (!isOver) problems.push("the producer has not ended in time");
    await stopChild(producer);
    const isTold = reports.has("producer");
    // Those of a producer that ended well end as well. Those of one that died wait for another.
    const all = Promise.all(children.map(({ ended }) => ended));
    const areOver = isTold && (await within(END_MS, all));
    if (isTold && !areOver) problems.push(`the consumers have not ended within ${END_MS / 1000} seconds`);
  } finally {
    await Promise.all(children.map(stopChild));
  }
  return { reports, problems };
}

function producerArguments(
  { width, height, fps, seconds, consumers, compare }: Plan,
  name: string,
): string[] {
  const numbers = { width, height, fps, seconds, subscribers: consumers.length };
  const args = Object.entries(numbers).flatMap(([option, value]) => [`--${option}`, String(value)]);
  return ["--name", name, ...args, ...(compare ? ["--next-size", SMALL_SIZE] : [])];
}

/** The option that says where snapshots go, which is told. */
async function snapshotFolder(given: string | undefined): Promise<string[]> {
  const folder = given ?? (await mkdtemp(join(tmpdir(), "protoipc-camera-")));
  process.stdout.write(`demo: snapshots go to ${folder}\n`);
  return ["--snapshots", folder];
}

/** Whether it settles within the time. */
async function within(timeoutMs: number, promise: Promise<unknown>): Promise<boolean> {
  const over = new AbortController();
  const late = sleep(timeoutMs, false, { signal: over.signal }).catch(() => false);
  const isSettled = await Promise.race([promise.then(() => true), late]);
  over.abort();
  return isSettled;
}
