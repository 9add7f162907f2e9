/** How the link of a side ended, as the victim saw it. */
export interface End {
  readonly end: "honest" | "hostile";
  readonly code: number;
  readonly reason: string;
  readonly received: number;
  readonly wrong: number;
  readonly atMs: number;
}

/** What the victim counted for a side, over all of its links. */
export interface Account {
  readonly links: number;
  readonly received: number;
  readonly wrong: number;
  readonly blocks: number;
  readonly published: number;
  /** Of the thread's CPU time, in one call. */
  readonly longestReceiveUs: number;
  readonly longestServiceUs: number;
  /** Doorbells, in one call. */
  readonly mostMessages: number;
  /** From a record's stamp until it was received. */
  readonly latestUs: number;
  readonly mostMappedBytes: number;
}

/** What the victim said when it had closed everything. */
export interface Report {
  readonly leakedFds: number;
  readonly leakedMaps: number;
  readonly blocksLeft: number;
  readonly unpublished: number;
  readonly honest: Account;
  readonly hostile: Account;
}

export interface Honest {
  readonly rounds: number;
  readonly publications: number;
  readonly longestMs: number;
  readonly error: "" | "link" | "stall" | "wrong" | "killed";
  readonly reason: string;
}

/** What an adversary said; what its attack adds is named after what it counts. */
export interface Hostile {
  readonly links: number;
  /** Of those, the ones that the victim ended. */
  readonly ended: number;
  readonly [counted: string]: number;
}

/** What became of all three. */
export interface Outcome {
  readonly ends: readonly End[];
  /** Undefined where the victim did not live to say it. */
  readonly report: Report | undefined;
  readonly victimExit: number | string;
  readonly victimErrors: string;
  readonly honest: Honest;
  /** A second honest client, which came in the middle of the attack. */
  readonly late: Honest | undefined;
  /** Undefined where it was stopped before its end. */
  readonly hostile: Hostile | undefined;
  readonly hostileErrors: string;
}

/** What an attack does to a victim that lacks the check: how to see it, and how to say it. */
export interface Effect {
  readonly text: string;
  readonly seen: (outcome: Outcome) => boolean;
  /** What the adversary must give it to show, in milliseconds. */
  readonly patienceMs: number;
}

const PATIENCE_MS = 500;
/** Of the honest client, before it says that it waits in vain. */
export const STALL_MS = 1_500;

/** Whether a wild access has ended the victim. What finds it depends on what stood there: a sanitizer, or a signal. */
export function isDead({ report, victimErrors, victimExit }: Outcome): boolean {
  if (report !== undefined) return false;
  // Where its own memory was unmapped, a sanitizer may not get as far as a report, or never come to an end.
  if (/AddressSanitizer|lsan|runtime error: /.test(victimErrors)) return true;
  return typeof victimExit === "string" && victimExit !== "SIGKILL";
}

export function death(text: string): Effect {
  return { text, patienceMs: PATIENCE_MS, seen: isDead };
}

/** A sanitizer ends the victim, and says why. */
export function crash(text: string, finding: RegExp): Effect {
  return {
    text,
    patienceMs: PATIENCE_MS,
    seen: ({ victimErrors, report }) =>
      report === undefined &&
      victimErrors
        .split("\n")
        .some((line) => /AddressSanitizer|runtime error: /.test(line) && finding.test(line)),
  };
}

/** The honest client waits in vain. */
export function stall(text: string): Effect {
  return {
    text,
    patienceMs: 3 * STALL_MS,
    seen: ({ honest, late }) => honest.error === "stall" || late?.error === "stall",
  };
}

/** The victim takes what breaks a rule for good. */
export function accepted(text: string): Effect {
  return {
    text,
    patienceMs: PATIENCE_MS,
    seen: ({ hostile }) => hostile !== undefined && hostile.links > 0 && hostile.ended === 0,
  };
}

export function seen(text: string, see: (outcome: Outcome) => boolean | undefined): Effect {
  return { text, patienceMs: PATIENCE_MS, seen: (outcome) => see(outcome) === true };
}
