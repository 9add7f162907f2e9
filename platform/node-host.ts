import { createHash, randomBytes } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { performance } from "node:perf_hooks";
import type { Host } from "../runtime/host.js";
import { VERSION } from "./version.js";

/** 24 days: what is longer, Node would run at once. */
const MAX_DELAY_MS = 2_147_483_647;

/**
 * Windows shows no id of the machine's run. But its clock is one for all processes, and nothing that is compared leaves the
 * machine or outlives its run: so the machine's name does.
 */
function windowsClockId(): string {
  return `windows-${createHash("sha256").update(hostname()).digest("hex").slice(0, 32)}`;
}

/** The clock's identity, as Linux shows it; empty where it does not. */
function readClock(): Host["clock"] {
  const offsetMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();
  if (process.platform === "win32") return { bootId: windowsClockId(), timeNamespace: 0, offsetMs };
  try {
    const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return { bootId, timeNamespace: statSync("/proc/self/ns/time").ino, offsetMs };
  } catch {
    // Not Linux, or /proc is hidden: deadlines then travel as the time that is left.
    return { bootId: "", timeNamespace: 0, offsetMs };
  }
}

const SETTLED = Promise.resolve();

let host: Host | undefined;

/** The host that a Node process is. */
export function nodeHost(): Host {
  host ??= {
    now: () => performance.now(),
    setTimer(run, delayMs) {
      const timer = setTimeout(run, Math.min(delayMs, MAX_DELAY_MS));
      timer.unref();
      return () => clearTimeout(timer);
    },
    hold() {
      const timer = setInterval(() => undefined, MAX_DELAY_MS);
      return () => clearInterval(timer);
    },
    // A callback of nextTick that is queued by a microtask runs when every microtask of the turn is done. Node's own
    // queueMicrotask makes an AsyncResource of each, which takes as long as all else of the end of a turn.
    atEndOfTurn(run) {
      void SETTLED.then(() => process.nextTick(run));
    },
    randomBytes: (count) => new Uint8Array(randomBytes(count)),
    pid: process.pid,
    clock: readClock(),
    implementation: `typescript/${VERSION}`,
    warn(error) {
      const warning = new Error(describe(error), { cause: error });
      warning.name = "ProtoipcWarning";
      process.emitWarning(warning);
    },
  };
  return host;
}

/** What went wrong and, on the lines below, why. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause =
    error.cause === undefined ? "" : `\n${error.cause instanceof Error ? error.cause.stack : error.cause}`;
  return `${error.message}${cause}`;
}
