/** What came of one test. */
export interface Outcome {
  /** The titles of its suites and its own, with " > " between. */
  readonly title: string;
  readonly state: "passed" | "failed" | "skipped";
  readonly ms: number;
  /** Why it failed; empty where it did not. */
  readonly error: string;
}
