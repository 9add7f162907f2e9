import type { Effect, Outcome } from "./outcome.js";
import type { Attack } from "./pair.js";

export const EPROTOCOL = -4;
export const ECLOSED = -3;
export const EVERSION = -5;
export const EDENIED = -6;
export const ETIMEDOUT = -15;

/** An adversary, the check that stops it, and what it does without that check. */
export interface Row extends Attack {
  /** What the adversary does. */
  readonly does: string;
  /** As in SHM_WEAKENED, or victim.c. */
  readonly check: string;
  readonly without: Effect;
  /** How its links end with every check: the codes that may be, and the reasons of those that broke a rule. */
  readonly codes: readonly number[];
  readonly reason?: RegExp;
  /** Every link is ended by the victim. Where false, a bound holds instead. */
  readonly isEnded: boolean;
  /** What else must hold; undefined where it does. */
  readonly bound?: (outcome: Outcome) => string | undefined;
  /** Only root can play it. */
  readonly asRoot?: boolean;
}

export function atMost(what: string, value: number | undefined, limit: number): string | undefined {
  return value !== undefined && value <= limit ? undefined : `${what} is ${value}, above ${limit}`;
}

export function nothingWrong({ report }: Outcome): string | undefined {
  return atMost("what the victim was wrongly told", report?.hostile.wrong, 0);
}

export function hostileEndAtMs({ ends }: Outcome): number | undefined {
  return ends.find(({ end }) => end === "hostile")?.atMs;
}

export const OVERFLOW: RegExp = /heap-buffer-overflow/;

export function nameOf({ program, attack }: Attack): string {
  return `${program} ${attack}`;
}

/** The rows as the README shows them. */
export function tableOf(rows: readonly Row[]): string {
  const lines = rows.map(
    (row) => `| \`${nameOf(row)}\` | ${row.does} | \`${row.check}\` | ${row.without.text} |`,
  );
  return [
    "| adversary | what it does | check | without the check |",
    "| --- | --- | --- | --- |",
    ...lines,
  ].join("\n");
}
