import { distance } from "fastest-levenshtein";

const MOST = 3;

/** What may have been meant by a name: those that differ in a third of their letters at most, the nearest first. */
export function nearest(name: string, known: readonly string[]): string[] {
  const lower = name.toLowerCase();
  const rated = known.map((one) => {
    const whole = one.toLowerCase();
    // A name without its package is compared with the end of the whole one.
    const parts = [whole, ...[...whole.matchAll(/[./]/g)].map(({ index }) => whole.slice(index + 1))];
    return {
      one,
      rate: Math.min(...parts.map((part) => distance(lower, part) / Math.max(part.length, lower.length))),
    };
  });
  return rated
    .filter(({ rate }) => rate <= 0.34)
    .sort((a, b) => a.rate - b.rate || (a.one < b.one ? -1 : 1))
    .slice(0, MOST)
    .map(({ one }) => one);
}
