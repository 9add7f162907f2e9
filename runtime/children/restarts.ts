import { BackOff, type BackOffRules, backOffRules } from "../back-off.js";
import type { Host } from "../host.js";
import type { RestartPolicy } from "./child-api.js";

/** A policy with its defaults. */
export interface RestartRules {
  readonly backOff: BackOffRules;
  readonly maxRestarts: number;
  readonly windowMs: number;
}

const MAX_RESTARTS = 10;
const WINDOW_MS = 60_000;
/** Restarts without a pause would keep the machine busy with a process that cannot live. */
const INITIAL_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;
const JITTER = 0.5;

/** What `restart` says: `undefined` for false and what is absent. Throws a `TypeError` that names the option and its range. */
export function restartRules(given: boolean | RestartPolicy | undefined): RestartRules | undefined {
  if (given === undefined || given === false) return undefined;
  if (given !== true && (typeof given !== "object" || given === null)) {
    const what = given === null ? "null" : typeof given;
    throw new TypeError(`restart is ${what}; it must be true, false or an object`);
  }
  const { maxRestarts = MAX_RESTARTS, windowMs = WINDOW_MS, ...policy } = given === true ? {} : given;
  const { initialDelayMs = INITIAL_DELAY_MS, jitter = JITTER } = policy;
  const { maxDelayMs = Math.max(MAX_DELAY_MS, initialDelayMs) } = policy;
  if (!(maxRestarts >= 0))
    throw new TypeError(`restart.maxRestarts is ${maxRestarts}; it must be a number from 0`);
  if (!(windowMs > 0)) throw new TypeError(`restart.windowMs is ${windowMs}; it must be a number above 0`);
  const backOff = backOffRules({ ...policy, initialDelayMs, maxDelayMs, jitter }, "restart")!;
  return { backOff, maxRestarts, windowMs };
}

/** How often a process was started again of late, and so, how long to wait before the next time. */
export class Restarts {
  readonly #rules: RestartRules;
  readonly #host: Host;
  readonly #backOff: BackOff;
  /** The restarts of the last `windowMs`. */
  #times: number[] = [];

  constructor(rules: RestartRules, host: Host) {
    this.#rules = rules;
    this.#host = host;
    this.#backOff = new BackOff(rules.backOff, host);
  }

  /** The pause before the next restart, which counts from now on; `undefined`: there were too many. */
  nextDelayMs(): number | undefined {
    const nowMs = this.#host.now();
    const { maxRestarts, windowMs } = this.#rules;
    this.#times = this.#times.filter((timeMs) => timeMs > nowMs - windowMs);
    if (this.#times.length >= maxRestarts) return undefined;
    if (this.#times.length === 0) this.#backOff.reset();
    this.#times.push(nowMs);
    return Math.ceil(this.#backOff.nextDelayMs());
  }
}
