import fc from "fast-check";
import { checkEncoding, compareDecoding, type Difference } from "./compare.js";
import { messageArbitrary } from "./message-arbitrary.js";
import { mutations } from "./mutate.js";
import type { Pair } from "./pairs.js";

/** How much is tried, over all types. */
export interface Amount {
  readonly messages: number;
  readonly mutations: number;
  readonly seed: number;
}

/** What was tried, and how often the known differences came up. */
export interface Tally extends Record<Difference, number> {
  messages: number;
  accepted: number;
  rejected: number;
}

/** Tries random messages of each type, and changes of their bytes. Throws for the first that is not as it should be. */
export function tryPairs(pairs: readonly Pair[], amount: Amount): Tally {
  const tally: Tally = { messages: 0, accepted: 0, rejected: 0, overrun: 0, lostEnum: 0 };
  const messagesEach = Math.ceil(amount.messages / pairs.length);
  const perMessage = Math.ceil(amount.mutations / pairs.length / messagesEach);
  for (const [index, pair] of pairs.entries()) {
    const changes = fc.array(mutations(), { minLength: perMessage, maxLength: perMessage, size: "max" });
    const outcome = fc.check(
      fc.property(messageArbitrary(pair.desc), changes, (message, changesOfOne) => {
        tally.messages++;
        const bytes = checkEncoding(pair, message);
        const plain = compareDecoding(pair, bytes);
        if (plain.is === "wrong") throw new Error(plain.text);
        for (const change of changesOfOne) {
          const verdict = compareDecoding(pair, change(bytes));
          if (verdict.is === "wrong") throw new Error(verdict.text);
          tally[verdict.is]++;
        }
      }),
      { numRuns: messagesEach, seed: amount.seed + index, endOnFailure: true },
    );
    if (outcome.failed) {
      const { errorInstance, counterexamplePath } = outcome;
      const text = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
      throw new Error(`seed ${amount.seed + index}, path ${counterexamplePath}: ${text}`);
    }
  }
  return tally;
}
