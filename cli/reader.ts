/** Who reads the output closed it: nobody wants the rest, and nothing is wrong. */
export class ReaderGone extends Error {
  override readonly name = "ReaderGone";
}

const gone = new AbortController();

/** Aborts when nobody reads the output any more. */
export const readerGone: AbortSignal = gone.signal;

/** Makes the end of the output's reader known instead of fatal: `… | head -1`. */
export function watchReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    gone.abort();
  });
  // Nobody can be told.
  process.stderr.on("error", () => undefined);
}

/** As the promise, or a rejection with `ReaderGone`, whatever comes first. */
export function whileRead<T>(running: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(new ReaderGone("nobody reads the output any more"));
    if (readerGone.aborted) stop();
    readerGone.addEventListener("abort", stop, { once: true });
    running.then(resolve, reject);
  });
}
