/** How many threads wanted to run. */
export interface LoadAverage {
  /** Over one minute. */
  readonly one: number;
  /** Over five minutes. */
  readonly five: number;
  /** Over fifteen minutes. */
  readonly fifteen: number;
  /** Threads that run or could, now. */
  readonly runnable: number;
  readonly threads: number;
}

/** Reads /proc/loadavg. Throws an `Error` that shows the text where it is not what the kernel writes. */
export function parseLoadavg(text: string): LoadAverage {
  const match = /^([\d.]+) ([\d.]+) ([\d.]+) (\d+)\/(\d+)/.exec(text);
  if (match === null)
    throw new Error(`loadavg is ${JSON.stringify(text)}; expected such as "0.10 0.20 0.30 1/87 4828"`);
  const [one, five, fifteen, runnable, threads] = match.slice(1).map(Number);
  return { one: one!, five: five!, fifteen: fifteen!, runnable: runnable!, threads: threads! };
}
