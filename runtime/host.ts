/** What the runtime needs of the process that it lives in. One is made per process; it holds no state of endpoints. */
export interface Host {
  /** Time in milliseconds that never goes back: `performance.now()`. */
  now(): number;
  /** Calls `run` once after `delayMs`; the function returned prevents that. Does not keep the process alive. */
  setTimer(run: () => void, delayMs: number): () => void;
  /** Calls `run` once when this turn of the event loop has done all that it does. */
  atEndOfTurn(run: () => void): void;
  /** Keeps the process running until the function returned is called. */
  hold(): () => void;
  randomBytes(count: number): Uint8Array;
  readonly pid: number;
  /** CLOCK_MONOTONIC is `now()` plus `offsetMs`. An empty boot id: not known. */
  readonly clock: { readonly bootId: string; readonly timeNamespace: number; readonly offsetMs: number };
  /** "typescript/VERSION". */
  readonly implementation: string;
  /** Reports what nobody listens for. */
  warn(error: unknown): void;
}
