// What the soak's processes say to each other, so that each can tell whether it came whole.
import { createHash } from "node:crypto";

/** A body of `length` bytes that only its number makes. */
export function bodyOf(number: number, length: number): Uint8Array {
  const body = new Uint8Array(length);
  for (let i = 0; i < length; i++) body[i] = (number * 31 + i * 7 + (i >>> 8)) & 0xff;
  return body;
}

export function sumOf(body: Uint8Array): string {
  return createHash("sha1").update(body).digest("hex");
}

/** How long the n-th body is: mostly small, and at times too large for a ring. */
export function lengthOf(number: number): number {
  const turn = number % 16;
  if (turn === 7) return 100_000 + (number % 1_000);
  if (turn === 15) return 400_000 + (number % 1_000);
  return (number * 37) % 2_000;
}

/** What a process of the soak tells when it is asked. */
export interface SoakReport {
  readonly pid: number;
  /** Calls and publications that were checked. */
  readonly checked: number;
  readonly bytes: number;
  /** Calls that ended with an error that a killed peer explains. */
  readonly unavailable: number;
  /** Calls in flight, and the age of the oldest. */
  readonly inFlight: number;
  readonly oldestMs: number;
  /** What must not be: the first few. */
  readonly violations: readonly string[];
}
