/** Ends a program with a sentence and an exit code. */
export class ProgramError extends Error {
  override readonly name = "ProgramError";
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export const EXIT_NO_PROC = 3;
/** What shells report for a program that SIGINT ended. */
export const EXIT_INTERRUPTED = 130;

/**
 * Runs a program's `main` and turns what it throws into a sentence and an exit code. The signal that `main` gets aborts
 * at SIGINT and SIGTERM, and when nobody reads the output any more; a second signal ends the process at once.
 */
export async function run(main: (stop: AbortSignal) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
  process.stdout.on("error", () => stop.abort());
  try {
    await main(stop.signal);
  } catch (error) {
    const usage = isUsageError(error);
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${message}\n${usage ? "Try --help.\n" : ""}`);
    process.exitCode = usage ? EXIT_USAGE : error instanceof ProgramError ? error.exitCode : EXIT_FAILED;
  }
}

/** The whole number that an option has, or `fallback` where it is not given. */
export function wholeNumber(
  option: string,
  text: string | undefined,
  bounds: { readonly fallback: number; readonly least: number; readonly most: number },
): number {
  if (text === undefined) return bounds.fallback;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= bounds.least && value <= bounds.most) return value;
  const range = `a whole number from ${bounds.least} to ${bounds.most}`;
  throw new ProgramError(EXIT_USAGE, `--${option} is ${JSON.stringify(text)}; it must be ${range}`);
}

function isUsageError(error: unknown): boolean {
  if (error instanceof ProgramError) return error.exitCode === EXIT_USAGE;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && code.startsWith("ERR_PARSE_ARGS_");
}
