import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, transportErrorOf } from "../errno.js";
import type { TransportError } from "../transport.js";
import type { Entry } from "./entry.js";
import { examine } from "./examine.js";
import type { FileLock } from "./lock.js";
import { isPrivateDirectory } from "./private-directory.js";
import type { Root } from "./root.js";

/** What stands in a domain under one name. */
export type ListedEndpoint =
  /** "elsewhere": alive in another network namespace. */
  | { readonly kind: "alive" | "dead" | "elsewhere"; readonly name: string; readonly entry: Entry }
  | { readonly kind: "refused"; readonly name: string; readonly reason: TransportError };

/**
 * All that stands in a domain, by name: endpoints, what dead ones have left, and what must not be used. Removes nothing.
 * Rejects with a `TransportError` where the root or the domain must not be used.
 */
export async function listDomain(
  root: Root,
  domain: string,
  fileLock: FileLock | undefined,
): Promise<ListedEndpoint[]> {
  const path = join(root.path, domain);
  for (const directory of [root.path, path]) if (!(await isPrivateDirectory(directory))) return [];
  const listed: ListedEndpoint[] = [];
  for (const name of await namesIn(path)) {
    const examined = await examine(join(path, name), name, undefined, fileLock);
    if (examined.kind === "alive") examined.presence.stop();
    if (examined.kind === "refused") listed.push({ kind: "refused", name, reason: examined.reason });
    else if (examined.kind !== "absent") listed.push({ kind: examined.kind, name, entry: examined.entry });
  }
  return listed;
}

/** The domains of a root. */
export async function listDomains(root: Root): Promise<string[]> {
  return (await isPrivateDirectory(root.path)) ? namesIn(root.path) : [];
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return (await readdir(path)).sort();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw transportErrorOf(error, `cannot list ${path}`);
  }
}
