import { type Process, ProcessState } from "../../gen/hostwatch/v1/hostwatch_pb.js";
import type { KernelUnits } from "./proc/auxv.js";
import type { PidStat } from "./proc/pid-stat.js";
import type { Plain } from "./samples.js";

const STATES: Readonly<Record<string, ProcessState>> = {
  R: ProcessState.RUNNING,
  S: ProcessState.SLEEPING,
  D: ProcessState.WAITING,
  T: ProcessState.STOPPED,
  t: ProcessState.STOPPED,
  Z: ProcessState.ZOMBIE,
  I: ProcessState.IDLE,
};

interface Moment {
  readonly atMs: number;
  readonly processes: ReadonlyMap<number, PidStat>;
}

/** The processes as they were last read, with their labels. */
export class ProcessTable {
  readonly #units: KernelUnits;
  readonly #labels = new Map<number, string>();
  #before: Moment = { atMs: 0, processes: new Map() };
  #now: Moment = { atMs: 0, processes: new Map() };

  constructor(units: KernelUnits) {
    this.#units = units;
  }

  /** Takes what was read at `atMs`, any clock that only goes forward. Labels of processes that ended are dropped. */
  update(processes: readonly PidStat[], atMs: number): void {
    this.#before = this.#now;
    this.#now = { atMs, processes: new Map(processes.map((stat) => [stat.pid, stat])) };
    for (const pid of this.#labels.keys()) {
      if (!isSame(this.#before.processes.get(pid), this.#now.processes.get(pid))) this.#labels.delete(pid);
    }
  }

  /** Every process, in no order. */
  all(): Plain<Process>[] {
    const elapsedMs = this.#now.atMs - this.#before.atMs;
    return [...this.#now.processes.values()].map((stat) =>
      this.describe(stat, this.#before.processes.get(stat.pid), elapsedMs),
    );
  }

  /** Puts a label on a process, or with "" takes it away; false where there is no such process. */
  label(pid: number, text: string): boolean {
    if (!this.#now.processes.has(pid)) return false;
    if (text === "") this.#labels.delete(pid);
    else this.#labels.set(pid, text);
    return true;
  }

  /** One process as a message. Its CPU share is over the time since `before`, 0 where it was not there then. */
  describe(stat: PidStat, before: PidStat | undefined, elapsedMs: number): Plain<Process> {
    const tickMs = 1000 / this.#units.ticksPerSecond;
    const spentMs =
      before !== undefined && isSame(before, stat) ? (stat.cpuTicks - before.cpuTicks) * tickMs : 0;
    return {
      pid: stat.pid,
      parentPid: stat.parentPid,
      name: stat.name,
      state: STATES[stat.state] ?? ProcessState.UNSPECIFIED,
      cpu: elapsedMs > 0 ? Math.max(0, spentMs) / elapsedMs : 0,
      cpuMs: BigInt(Math.round(stat.cpuTicks * tickMs)),
      residentBytes: BigInt(Math.max(0, stat.residentPages) * this.#units.pageBytes),
      threads: stat.threads,
      label: this.#labels.get(stat.pid) ?? "",
    };
  }
}

/** Whether two readings of a pid are of one process: pids are used again, start times are not. */
export function isSame(one: PidStat | undefined, other: PidStat | undefined): boolean {
  return one?.startTicks === other?.startTicks;
}
