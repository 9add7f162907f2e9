import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

/** What other tests or tools write, or what is not ours. */
const IGNORED: ReadonlySet<string> = new Set([
  "node_modules",
  "dist",
  ".git",
  "gen",
  "test/codegen/golden",
  "test/codegen/out",
  "docs/api",
  "coverage",
  ".cache",
]);

/** The files of the project with one of the endings, as paths from its root. */
export function filesOf(...endings: readonly string[]): string[] {
  const found: string[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
      const path = posix.join(folder, entry.name);
      if (IGNORED.has(path) || IGNORED.has(entry.name)) continue;
      if (entry.isDirectory()) walk(path);
      else if (endings.some((ending) => entry.name.endsWith(ending))) found.push(path);
    }
  };
  walk("");
  return found.sort();
}

export function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

export function exists(path: string): boolean {
  return statSync(join(ROOT, path), { throwIfNoEntry: false }) !== undefined;
}

/** One import or re-export of a source file. */
export interface Import {
  readonly from: string;
  /** As it is written. */
  readonly specifier: string;
  /** The path from the root of the file that is meant; `undefined` for packages and Node's own modules. */
  readonly target: string | undefined;
  /** Nothing of it is left at run time. */
  readonly isTypeOnly: boolean;
}

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s+(type\s+)?([^;"']*?\sfrom\s+)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/g;

/** Every import of a source file. */
export function importsOf(path: string): Import[] {
  return Array.from(read(path).matchAll(IMPORT), ([, type, clause, named, dynamic]) => {
    const specifier = (named ?? dynamic)!;
    return {
      from: path,
      specifier,
      target: targetOf(path, specifier),
      isTypeOnly: type !== undefined || hasTypesAlone(clause),
    };
  });
}

function hasTypesAlone(clause: string | undefined): boolean {
  const braces = clause?.match(/^\s*\{([\s\S]*)\}\s*from\s+$/)?.[1];
  if (braces === undefined) return false;
  const names = braces
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  return names.length > 0 && names.every((name) => name.startsWith("type "));
}

function targetOf(path: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  const file = relative(ROOT, join(ROOT, dirname(path), specifier));
  return file.replace(/\.js$/, ".ts");
}
