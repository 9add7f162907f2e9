import { readFileSync } from "node:fs";
import { endianness } from "node:os";
import { join } from "node:path";
import { type KernelUnits, parseAuxv } from "./auxv.js";
import { type DiskCounters, parseDiskstats } from "./diskstats.js";
import { type LoadAverage, parseLoadavg } from "./loadavg.js";
import { type MemoryUse, parseMeminfo } from "./meminfo.js";
import { type InterfaceCounters, parseNetDev } from "./net-dev.js";
import { type CoreTicks, parseStat } from "./stat.js";
import { parseUptime } from "./uptime.js";

/** The machine at one moment. */
export interface HostSnapshot {
  /** Unix time in milliseconds. */
  readonly timeMs: number;
  /** A clock that nobody sets, in milliseconds. */
  readonly atMs: number;
  readonly cores: readonly CoreTicks[];
  readonly memory: MemoryUse;
  readonly load: LoadAverage;
  readonly uptimeSeconds: number;
  /** Empty where the system shows none, as in some sandboxes. */
  readonly interfaces: readonly InterfaceCounters[];
  /** Empty where the system shows none, as in some sandboxes. */
  readonly disks: readonly DiskCounters[];
}

/**
 * Reads the machine's state from the proc file system at `proc`. Synchronous, because that is many times faster for
 * these files than a thread pool. Throws where a file that every Linux has is missing.
 */
export function readHost(proc: string): HostSnapshot {
  const read = (name: string): string => readFileSync(join(proc, name), "utf8");
  return {
    timeMs: Date.now(),
    atMs: performance.now(),
    cores: parseStat(read("stat")),
    memory: parseMeminfo(read("meminfo")),
    load: parseLoadavg(read("loadavg")),
    uptimeSeconds: parseUptime(read("uptime")),
    interfaces: parseNetDev(readIfThere(join(proc, "net/dev"))),
    disks: parseDiskstats(readIfThere(join(proc, "diskstats"))),
  };
}

/** The units that this process's kernel counts in. */
export function readKernelUnits(proc: string): KernelUnits {
  const wordBytes = process.arch === "arm" || process.arch === "ia32" ? 4 : 8;
  let bytes = Buffer.alloc(0);
  try {
    bytes = readFileSync(join(proc, "self/auxv"));
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
  return parseAuxv(bytes, wordBytes, endianness());
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isAbsent(error)) return "";
    throw error;
  }
}

/** Whether a read failed because there is no such thing (any more), or because it is not shown to us. */
export function isAbsent(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ENOENT" || code === "ENOTDIR" || code === "ESRCH" || code === "EACCES" || code === "EPERM";
}
