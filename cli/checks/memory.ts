import { statfsSync } from "node:fs";
import { EVENT_WORDS, loadBinding, NUMBERS } from "../../bindings/node/binding.js";
import { memoryLimit } from "./control-group.js";
import type { Finding } from "./finding.js";

const CHECK = "shared memory";
export const MIB = 1_048_576;
/** The segments of a handful of links. */
const LITTLE_BYTES = 64 * MIB;

/** Shared memory is anonymous (memfd): it counts as memory of the process, and needs no /dev/shm. */
export function checkSharedMemory(): Finding[] {
  if (process.platform !== "linux") return [{ check: CHECK, state: "ok", finding: "is for Linux only" }];
  return [...tryOut(), aboutGroup(), aboutDevShm()];
}

/** Makes a segment, and lets go of it. */
function tryOut(): Finding[] {
  const { binding } = loadBinding();
  if (binding === undefined) return [];
  const native = binding.create(
    new Uint32Array(EVENT_WORDS),
    new Float64Array(NUMBERS),
    () => undefined,
    false,
  );
  const arena = native.arenaOpen(MIB);
  const code = arena > 0 ? native.arenaAllocate(arena, MIB / 2) : arena;
  if (arena > 0) native.arenaClose(arena);
  if (code >= 0) return [{ check: CHECK, state: "ok", finding: "a segment can be made (memfd)" }];
  const finding = `no segment can be made (memfd): ${binding.errorText(code)}`;
  const advice =
    "allow memfd_create where system calls are filtered (seccomp), raise ulimit -f and -v, or use PROTOIPC_TRANSPORTS=unix,pipe";
  return [{ check: CHECK, state: "warning", finding, advice }];
}

function aboutGroup(): Finding {
  const limit = memoryLimit();
  if (limit === undefined) return { check: CHECK, state: "ok", finding: "no limit of a control group" };
  const { leftBytes, maxBytes, path } = limit;
  const finding = `${Math.round(leftBytes / MIB)} MiB left of ${Math.round(maxBytes / MIB)} MiB of the control group (${path})`;
  if (leftBytes >= LITTLE_BYTES) return { check: CHECK, state: "ok", finding };
  const advice =
    "segments count as memory of the group: raise its limit, or use the socket (PROTOIPC_TRANSPORTS=unix)";
  return { check: CHECK, state: "warning", finding, advice };
}

function aboutDevShm(): Finding {
  try {
    const { bsize, bavail } = statfsSync("/dev/shm");
    const finding = `/dev/shm has ${Math.round((bsize * bavail) / MIB)} MiB free; it is not used`;
    return { check: CHECK, state: "ok", finding };
  } catch {
    return { check: CHECK, state: "ok", finding: "there is no /dev/shm, and none is needed" };
  }
}
