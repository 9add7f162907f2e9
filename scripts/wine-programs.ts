import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { rolldown } from "rolldown";

/** Needs what is not built for Windows. */
const NOT_ON_WINDOWS = /^(shm-|blocking-)/;

/**
 * Bundles the programs that tests start into a folder. Under Wine a process of many modules takes two seconds to start,
 * one of a few half a second, and tests start hundreds.
 */
export async function bundlePrograms(repository: string, folder: string): Promise<void> {
  const programs = join(repository, "dist/test/programs");
  const files = readdirSync(programs).filter((file) => file.endsWith(".js") && !NOT_ON_WINDOWS.test(file));
  const built = await rolldown({
    input: Object.fromEntries(files.map((file) => [basename(file, ".js"), join(programs, file)])),
    platform: "node",
    logLevel: "warn",
  });
  await built.write({ dir: folder, format: "esm", sourcemap: true, cleanDir: true });
  await built.close();
}
