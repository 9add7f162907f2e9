/** One process, as the kernel tells it. */
export interface PidStat {
  readonly pid: number;
  readonly name: string;
  /** A letter, such as "R" or "S". */
  readonly state: string;
  readonly parentPid: number;
  /** CPU time in programs and kernel since the process started, in clock ticks. */
  readonly cpuTicks: number;
  readonly threads: number;
  /** When it started, in clock ticks since the machine did. With the pid it tells one process from a later one. */
  readonly startTicks: number;
  /** Memory that is in RAM, in pages. */
  readonly residentPages: number;
}

/** Reads /proc/[pid]/stat; `undefined` for what is no such line. */
export function parsePidStat(text: string): PidStat | undefined {
  // The name stands in parentheses and may itself have spaces, parentheses and line ends.
  const open = text.indexOf(" (");
  const close = text.lastIndexOf(") ");
  if (open === -1 || close < open) return undefined;
  const pid = Number(text.slice(0, open));
  // From the third field on, in the numbering of proc(5).
  const fields = text
    .slice(close + 2)
    .trim()
    .split(" ");
  const field = (number: number): number => Number(fields[number - 3]);
  const stat: PidStat = {
    pid,
    name: text.slice(open + 2, close),
    state: fields[0]!,
    parentPid: field(4),
    cpuTicks: field(14) + field(15),
    threads: field(20),
    startTicks: field(22),
    residentPages: field(24),
  };
  const numbers = [pid, stat.parentPid, stat.cpuTicks, stat.threads, stat.startTicks, stat.residentPages];
  return numbers.every(Number.isSafeInteger) ? stat : undefined;
}
