import { readFile } from "node:fs/promises";

/** Behind the name of the program, which may hold anything, ")" among it: field 22 of /proc/PID/stat is the 20th. */
const START_TIME = 19;

/**
 * When a process was started, in clock ticks since the machine's start, as the kernel counts: with the pid it names one
 * process for as long as the machine runs. Empty where the system does not say. `undefined` where it says that there is no
 * such process.
 */
export async function processStart(pid: number): Promise<string | undefined> {
  if (process.platform !== "linux") return "";
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[START_TIME] ?? "";
  } catch {
    return isThere(pid) ? "" : undefined;
  }
}

/** Whether the process that an entry names is running: the one, and no later one that has its pid. */
export async function isRunning(entry: {
  readonly pid: number;
  readonly startTime: string;
}): Promise<boolean> {
  const startTime = await processStart(entry.pid);
  if (startTime === undefined) return false;
  return startTime === "" || entry.startTime === "" || startTime === entry.startTime;
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
