import type { Host } from "../../runtime/host.js";
import type { Random } from "./random.js";
import { describe, type World } from "./world.js";

/** A process that exists in virtual time only. */
export interface SimHost extends Host {
  /** The timers that are set and have neither run nor been cancelled. */
  readonly timers: number;
}

const CLOCK_MS = 1_000_000;

/** A host whose clock is `skewMs` off the world's. With a boot id, hosts share CLOCK_MONOTONIC all the same. */
export function simHost(world: World, random: Random, pid: number, skewMs: number, bootId: string): SimHost {
  let timers = 0;
  return {
    get timers() {
      return timers;
    },
    now: () => world.nowMs + skewMs,
    setTimer(run, delayMs) {
      let isSet = true;
      timers++;
      const cancel = world.after(delayMs, () => {
        isSet = false;
        timers--;
        run();
      });
      return () => {
        if (!isSet) return;
        isSet = false;
        timers--;
        cancel();
      };
    },
    hold: () => () => undefined,
    atEndOfTurn: (run) => world.atEndOfTurn(run),
    randomBytes: (count) => Uint8Array.from({ length: count }, () => random.int(0, 255)),
    pid,
    clock: { bootId, timeNamespace: 1, offsetMs: CLOCK_MS - skewMs },
    implementation: "typescript/0.0.0",
    warn: (error) => world.report(`a warning that nobody expects: ${describe(error)}`),
  };
}
