import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { open } from "protoipc";
import type { ViewerReport } from "../../gen/hostwatch/v1/hostwatch_pb.js";
import { Demo, Hostwatch } from "../../gen/hostwatch/v1/hostwatch_protoipc.js";
import { type Child, firstLine, start, stopChild } from "./child.js";
import { EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, ProgramError, run, wholeNumber } from "./command-line.js";
import { type DemoResult, demoResult, problemsOf } from "./demo-result.js";

const TRANSPORTS = ["auto", "shm", "unix", "pipe"];
const STALL_RATE_HZ = 500;
const STALL_AFTER_MS = 1000;
const STALL_MS = 4000;
const LEAST_STALL_SECONDS = 6;
/** How long the last publications may take to reach the viewer, and its report to reach us. */
const END_MS = 10_000;
const NO_REPORT = `the viewer has not reported and ended within ${END_MS / 1000} seconds`;

const HELP = `Usage: demo.js [options]

Starts a hostwatch daemon and a viewer as processes of their own, lets them talk for a
while, stops both, and prints what came of it as a last line of JSON.

  --seconds N       for so long, 1 to 3600 (10)
  --transport NAME  auto: the best that both have; or shm, unix, pipe (auto)
  --stall-viewer    publish ${STALL_RATE_HZ} times a second and stop the viewer for ${STALL_MS / 1000} seconds, so
                    that publications are lost, and reported; needs --seconds ${LEAST_STALL_SECONDS} or more
  --help            this text

Exit codes: 0 all was as it must be, 1 something was not, 2 wrong arguments,
130 interrupted.
`;

await run(async (stop) => {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string" },
      transport: { type: "string", default: "auto" },
      "stall-viewer": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const stall = values["stall-viewer"];
  const least = stall ? LEAST_STALL_SECONDS : 1;
  const seconds = wholeNumber("seconds", values.seconds, { fallback: 10, least, most: 3600 });
  const { transport } = values;
  if (!TRANSPORTS.includes(transport)) {
    throw new ProgramError(
      EXIT_USAGE,
      `--transport is ${JSON.stringify(transport)}; it must be ${TRANSPORTS.join(", ").replace(/, (\w+)$/, " or $1")}`,
    );
  }

  let result: DemoResult;
  try {
    result = await show({ durationMs: seconds * 1000, transport, stall }, stop);
  } catch (error) {
    if (stop.aborted) throw new ProgramError(EXIT_INTERRUPTED, "the demo was interrupted");
    throw error;
  }
  const problems = problemsOf(result, stall);
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.stdout.write(`${JSON.stringify(result)}\n`);
  if (problems.length > 0) process.exitCode = EXIT_FAILED;
});

interface Plan {
  readonly durationMs: number;
  readonly transport: string;
  readonly stall: boolean;
}

/** Runs both programs. Whatever happens, they are gone when this ends. */
async function show({ durationMs, transport, stall }: Plan, stop: AbortSignal): Promise<DemoResult> {
  const name = `hostwatch-${process.pid}`;
  const demoName = `hostwatch-demo-${process.pid}`;
  await using endpoint = await open({ name: demoName });
  const viewerReady = newSettable<void>();
  const viewerReport = newSettable<ViewerReport>();
  endpoint.serve(Demo, {
    ready() {
      viewerReady.set();
      return {};
    },
    report(report) {
      viewerReport.set(report);
      return {};
    },
  });

  const children: Child[] = [];
  const launch = (child: Child): Child => {
    children.push(child);
    return child;
  };
  const interrupted = onlyRejecting(once(stop, "abort").then(() => Promise.reject(new Error("interrupted"))));
  try {
    const rate = stall ? ["--rate", String(STALL_RATE_HZ)] : [];
    const daemon = launch(start("daemon", ["--name", name, ...rate], "pipe"));
    await Promise.race([firstLine(daemon), interrupted]);
    const from = transport === "auto" ? name : `${transport}:${name}`;
    const viewer = launch(start("viewer", ["--from", from, "--report-to", demoName], "inherit"));
    const early = onlyRejecting(Promise.race([interrupted, tooEarly(daemon), tooEarly(viewer)]));

    await Promise.race([viewerReady.value, early]);
    if (stall) await stallViewer(viewer, early);
    await Promise.race([pause(stall ? durationMs - STALL_AFTER_MS - STALL_MS : durationMs), early]);

    const client = endpoint.client(Hostwatch, name, { timeoutMs: END_MS });
    const { published } = await Promise.race([client.endTopics({}), interrupted, tooEarly(daemon)]);
    const late = onlyRejecting(pause(END_MS).then(() => Promise.reject(new Error(NO_REPORT))));
    const report = await Promise.race([viewerReport.value, interrupted, late, tooEarly(viewer)]);
    await Promise.race([viewer.exited, late]);
    await stopChild(daemon);
    return demoResult(published, report);
  } finally {
    await Promise.allSettled(children.map(stopChild));
  }
}

/** Lets the publications pile up for a while. */
async function stallViewer(viewer: Child, early: Promise<never>): Promise<void> {
  await Promise.race([pause(STALL_AFTER_MS), early]);
  viewer.process.kill("SIGSTOP");
  await Promise.race([pause(STALL_MS), early]);
  viewer.process.kill("SIGCONT");
}

/** Rejects when the child ends, well or not. */
function tooEarly(child: Child): Promise<never> {
  return onlyRejecting(
    child.exited.then(() => Promise.reject(new Error(`the ${child.program} ended too early`))),
  );
}

/** The same, for races: a rejection that loses is nobody's. */
function onlyRejecting(promise: Promise<never>): Promise<never> {
  promise.catch(() => undefined);
  return promise;
}

/** Sleeps, without keeping this process up when there is nothing else to wait for. */
async function pause(ms: number): Promise<void> {
  await sleep(ms, undefined, { ref: false });
}

/** A value that somebody will set. */
function newSettable<T>(): { readonly value: Promise<T>; set(value: T): void } {
  let set: (value: T) => void = () => undefined;
  const value = new Promise<T>((resolve) => {
    set = resolve;
  });
  return { value, set };
}
