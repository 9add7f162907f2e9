import type { Host } from "./host.js";

/** How long to wait before something that failed is tried again. */
export interface BackOffPolicy {
  /** The longest first pause, in milliseconds from 1. 10 unless said. */
  readonly initialDelayMs?: number | undefined;
  /** The longest pause of all, in milliseconds, from `initialDelayMs`. 1,000 unless said. */
  readonly maxDelayMs?: number | undefined;
  /** By how much each pause may be longer than the one before, from 1. 2 unless said. */
  readonly factor?: number | undefined;
  /**
   * Which part of each pause is left to chance, from 0 to 1, so that many who lost the same peer do not come back at the
   * same moments. 1 unless said: a pause is anything from nothing to its longest.
   */
  readonly jitter?: number | undefined;
}

/** A policy with its defaults. */
export type BackOffRules = { readonly [Name in keyof BackOffPolicy]-?: number };

const DEFAULT_RULES: BackOffRules = { initialDelayMs: 10, maxDelayMs: 1_000, factor: 2, jitter: 1 };

const LONGEST_MS = 2_147_483_647;

/**
 * What `reconnect` says: `undefined` for false and what is absent. Throws a `TypeError` that names the option and its
 * range.
 */
export function backOffRules(
  given: boolean | BackOffPolicy | undefined,
  name = "reconnect",
): BackOffRules | undefined {
  if (given === undefined || given === false) return undefined;
  if (given === true) return DEFAULT_RULES;
  if (typeof given !== "object" || given === null) {
    throw new TypeError(
      `${name} is ${given === null ? "null" : typeof given}; it must be true, false or an object`,
    );
  }
  for (const option of Object.keys(given)) {
    if (Object.hasOwn(DEFAULT_RULES, option)) continue;
    const known = Object.keys(DEFAULT_RULES).join(", ");
    throw new TypeError(`${name} has no option ${JSON.stringify(option)}; it has: ${known}`);
  }
  const initialDelayMs = given.initialDelayMs ?? DEFAULT_RULES.initialDelayMs;
  const maxDelayMs = given.maxDelayMs ?? Math.max(DEFAULT_RULES.maxDelayMs, initialDelayMs);
  const factor = given.factor ?? DEFAULT_RULES.factor;
  const jitter = given.jitter ?? DEFAULT_RULES.jitter;
  checkRange(`${name}.initialDelayMs`, initialDelayMs, 1, LONGEST_MS);
  checkRange(`${name}.maxDelayMs`, maxDelayMs, initialDelayMs, LONGEST_MS);
  checkRange(`${name}.factor`, factor, 1, 1_000);
  checkRange(`${name}.jitter`, jitter, 0, 1);
  return { initialDelayMs, maxDelayMs, factor, jitter };
}

function checkRange(name: string, value: number, least: number, most: number): void {
  if (value >= least && value <= most) return;
  throw new TypeError(`${name} is ${value}; it must be a number from ${least} to ${most}`);
}

/** The pauses between attempts: exponential, with jitter, as in "Exponential Backoff And Jitter" (AWS, 2015). */
export class BackOff {
  readonly #rules: BackOffRules;
  readonly #host: Pick<Host, "randomBytes">;
  #longestMs: number;

  constructor(rules: BackOffRules, host: Pick<Host, "randomBytes">) {
    this.#rules = rules;
    this.#host = host;
    this.#longestMs = rules.initialDelayMs;
  }

  /** The next pause, in milliseconds. */
  nextDelayMs(): number {
    const { factor, maxDelayMs, jitter } = this.#rules;
    const longestMs = this.#longestMs;
    this.#longestMs = Math.min(maxDelayMs, longestMs * factor);
    return longestMs * (1 - jitter * this.#random());
  }

  /** It went well: the next pause is a first one. */
  reset(): void {
    this.#longestMs = this.#rules.initialDelayMs;
  }

  /** From 0 to below 1. */
  #random(): number {
    const [a = 0, b = 0, c = 0] = this.#host.randomBytes(3);
    return ((a << 16) | (b << 8) | c) / 2 ** 24;
  }
}
