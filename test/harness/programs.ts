import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * Whether a program is in $PATH. Where it is not, tests that need it are left out, and reported so; but not where
 * everything has to be tested.
 */
export function hasProgram(name: string): boolean {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  if (folders.some((folder) => isExecutable(join(folder, name)))) return true;
  if (process.env["CI"] === "true" && process.platform === "linux") throw new Error(`there is no ${name}`);
  return false;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
