import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { open } from "protoipc";
import { Hostwatch } from "../../gen/hostwatch/v1/hostwatch_protoipc.js";
import { EXIT_NO_PROC, ProgramError, run, wholeNumber } from "./command-line.js";
import { type HostSnapshot, readHost, readKernelUnits } from "./proc/read-host.js";
import { readProcesses } from "./proc/read-processes.js";
import { ProcessTable } from "./process-table.js";
import { Publications } from "./publications.js";
import { sample } from "./samples.js";
import { hostwatchHandlers } from "./service.js";
import { SnapshotWindow } from "./snapshot-window.js";

const HELP = `Usage: daemon.js [options]

Reads this machine's /proc, publishes what it finds, and serves hostwatch.v1.Hostwatch
until SIGINT or SIGTERM.

  --name NAME    the endpoint's name (hostwatch)
  --rate HZ      publications per second and topic, 1 to 1000 (10)
  --proc DIR     where the proc file system is mounted (/proc)
  --help         this text

Exit codes: 0 stopped by a signal, 1 failed, 2 wrong arguments, 3 no proc file system.
`;

/** Rates are over about so long; processes are read this often. */
const SPAN_MS = 1000;
/** How long subscribers have to take what is still theirs when the daemon is stopped. */
const END_TOPICS_MS = 2000;

await run(async (stop) => {
  const { values } = parseArgs({
    options: {
      name: { type: "string", default: "hostwatch" },
      rate: { type: "string" },
      proc: { type: "string", default: "/proc" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const rateHz = wholeNumber("rate", values.rate, { fallback: 10, least: 1, most: 1000 });
  const { proc } = values;
  if (!existsSync(join(proc, "stat"))) {
    const message = `there is no ${join(proc, "stat")}: hostwatch needs the proc file system of Linux (see --proc)`;
    throw new ProgramError(EXIT_NO_PROC, message);
  }

  const units = readKernelUnits(proc);
  const table = new ProcessTable(units);
  table.update(await readProcesses(proc), performance.now());

  const endpoint = await open({ name: values.name });
  const log = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  try {
    const publications = await Publications.open(endpoint);
    endpoint.serve(Hostwatch, hostwatchHandlers({ endpoint, publications, table, proc, log }));
    log(`hostwatch: listening at ${endpoint.addresses.join(", ")}, publishing ${rateHz} times a second`);

    const window = new SnapshotWindow<HostSnapshot>(SPAN_MS);
    const failed = new AbortController();
    const over = AbortSignal.any([stop, failed.signal]);
    try {
      await Promise.all([
        every(SPAN_MS, over, async () => table.update(await readProcesses(proc), performance.now())),
        every(1000 / rateHz, over, () => {
          const now = readHost(proc);
          const before = window.add(now);
          if (before !== undefined) publications.publish(sample(before, now, units.ticksPerSecond));
        }),
      ]);
    } finally {
      failed.abort();
    }
    // A subscriber that reads is told that this is the end; one that does not is not waited for.
    await Promise.race([publications.end(), sleep(END_TOPICS_MS, undefined, { ref: false })]);
  } finally {
    await endpoint.close();
  }
});

/** Works once per interval, without drift and never twice at a time, until stopped. A failure is passed on. */
async function every(intervalMs: number, stop: AbortSignal, work: () => void | Promise<void>): Promise<void> {
  let dueMs = performance.now();
  for (;;) {
    // After a pause of the machine, missed turns are not made up for.
    dueMs = Math.max(dueMs + intervalMs, performance.now());
    try {
      await sleep(dueMs - performance.now(), undefined, { signal: stop });
    } catch {
      return;
    }
    await work();
  }
}
