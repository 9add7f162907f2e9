import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type PidStat, parsePidStat } from "./pid-stat.js";
import { isAbsent } from "./read-host.js";

/** How many processes are read before other work of this process gets its turn: about a millisecond's worth. */
const BATCH = 64;

/** Reads one process; `undefined` where it is gone or was never there. */
export function readProcess(proc: string, pid: number): PidStat | undefined {
  try {
    return parsePidStat(readFileSync(join(proc, String(pid), "stat"), "utf8"));
  } catch (error) {
    // It may vanish before the file is opened (ENOENT) or before it is read (ESRCH).
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** Reads every process. Those that vanish meanwhile are left out. */
export async function readProcesses(proc: string): Promise<PidStat[]> {
  const processes: PidStat[] = [];
  const names = readdirSync(proc).filter((name) => /^\d+$/.test(name));
  for (const [index, name] of names.entries()) {
    if (index % BATCH === BATCH - 1) await nextTurn();
    const stat = readProcess(proc, Number(name));
    if (stat !== undefined) processes.push(stat);
  }
  return processes;
}
