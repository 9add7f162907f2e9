import { BackOff, type BackOffRules } from "./back-off.js";
import type { Host } from "./host.js";

/** Does again, later and later, what has failed. Does not keep the process running. */
export class Retry {
  readonly #host: Host;
  readonly #backOff: BackOff;
  readonly #run: () => void;
  #cancelTimer: (() => void) | undefined;
  #isUnderWay = false;

  constructor(host: Host, rules: BackOffRules, run: () => void) {
    this.#host = host;
    this.#backOff = new BackOff(rules, host);
    this.#run = run;
  }

  /** It has failed, and has not gone well since. */
  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  /** It has failed: `run` is called after a while. */
  later(): void {
    this.#isUnderWay = true;
    if (this.#cancelTimer !== undefined) return;
    // Node's timers have whole milliseconds.
    const delayMs = Math.ceil(this.#backOff.nextDelayMs());
    this.#cancelTimer = this.#host.setTimer(() => {
      this.#cancelTimer = undefined;
      this.#run();
    }, delayMs);
  }

  /** It went well, or is not wanted any more. */
  reset(): void {
    this.#isUnderWay = false;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#backOff.reset();
  }
}
