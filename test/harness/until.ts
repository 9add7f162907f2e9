const STEP_MS = 2;

/** Waits until the condition holds. Throws, naming what was waited for, when it does not within `timeoutMs`. */
export async function until(what: string, condition: () => boolean, timeoutMs = 5_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(STEP_MS);
  }
}

export function sleep(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });
}

/** Waits until whatever is on its way between two endpoints of this process has arrived. */
export async function settled(): Promise<void> {
  await sleep(30);
}
