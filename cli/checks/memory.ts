import { readFileSync, statfsSync } from "node:fs";
import { join } from "node:path";
import type { Finding } from "./finding.js";

const MIB = 1_048_576;
/** The segments of a handful of links. */
const LITTLE_BYTES = 64 * MIB;

/** Shared memory is anonymous (memfd): it counts as memory of the process, and needs no /dev/shm. */
export function checkSharedMemory(): Finding[] {
  if (process.platform !== "linux")
    return [{ check: "shared memory", state: "ok", finding: "is for Linux only" }];
  const found: Finding[] = [];
  const limit = memoryLimit();
  if (limit === undefined)
    found.push({ check: "shared memory", state: "ok", finding: "no limit of a control group" });
  else {
    const [leftBytes, maxBytes] = limit;
    const finding = `${Math.round(leftBytes / MIB)} MiB left of ${Math.round(maxBytes / MIB)} MiB of this control group`;
    const advice =
      "segments count as memory of the group: raise its limit, or use the socket (PROTOIPC_TRANSPORTS=unix)";
    found.push(
      leftBytes < LITTLE_BYTES
        ? { check: "shared memory", state: "warning", finding, advice }
        : { check: "shared memory", state: "ok", finding },
    );
  }
  try {
    const { bsize, bavail } = statfsSync("/dev/shm");
    found.push({
      check: "shared memory",
      state: "ok",
      finding: `/dev/shm has ${Math.round((bsize * bavail) / MIB)} MiB free; it is not used`,
    });
  } catch {
    found.push({ check: "shared memory", state: "ok", finding: "there is no /dev/shm, and none is needed" });
  }
  return found;
}

function memoryLimit(): [leftBytes: number, maxBytes: number] | undefined {
  try {
    const group = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "/";
    const max = readFileSync(join("/sys/fs/cgroup", group, "memory.max"), "utf8").trim();
    if (max === "max") return undefined;
    const current = Number(readFileSync(join("/sys/fs/cgroup", group, "memory.current"), "utf8"));
    return [Number(max) - current, Number(max)];
  } catch {
    return undefined;
  }
}
