import { statSync } from "node:fs";
import { join } from "node:path";
import { Code, loadBinding } from "../bindings/node/binding.js";
import { knock, lstatIfAny } from "../transports/bind-path.js";
import {
  type Entry,
  type FileLock,
  fileLockBy,
  type ListedEndpoint,
  listDomain,
  type Root,
} from "../transports/directory/index.js";
import { isRunning } from "../transports/directory/process-start.js";
import { secretPath } from "../transports/directory/secret.js";

/** What stands in a domain; "elsewhere": its owner lives in another network namespace, from where its lock is not seen. */
export type Surveyed =
  | ListedEndpoint
  | { readonly kind: "elsewhere"; readonly name: string; readonly entry: Entry };

/** The lock of files, where there is native code for it. */
export function nativeFileLock(): FileLock | undefined {
  const { binding } = loadBinding();
  return binding && fileLockBy((fd) => binding.lock(fd) !== Code.EINUSE);
}

/** As `listDomain`, and what only looks dead from here is told apart. Removes nothing. */
export async function surveyDomain(root: Root, domain: string): Promise<Surveyed[]> {
  const listed = await listDomain(root, domain);
  return Promise.all(
    listed.map(async (one): Promise<Surveyed> => {
      if (one.kind !== "dead") return one;
      const { name, entry } = one;
      const isAlive = await livesElsewhere(join(root.path, domain, name), entry);
      return isAlive ? { kind: "elsewhere", name, entry } : one;
    }),
  );
}

/**
 * Whether there is a sign of life of an owner whose lock is free here. One is enough: containers may share the directory
 * alone, so that no pid is seen, and an owner without native code holds no lock of a file.
 */
async function livesElsewhere(directory: string, entry: Entry): Promise<boolean> {
  if (process.platform !== "linux") return false;
  return (
    isInOtherNamespace(entry.pid, await isRunning(entry)) ||
    isLocked(secretPath(directory)) ||
    (await isAnswering(directory, entry))
  );
}

function isInOtherNamespace(pid: number, isThere: boolean): boolean {
  const [own, theirs] = [networkOf("self"), networkOf(String(pid))];
  return isThere && own !== undefined && theirs !== undefined && own !== theirs;
}

function networkOf(pid: string): number | undefined {
  try {
    return statSync(`/proc/${pid}/ns/net`).ino;
  } catch {
    return undefined;
  }
}

function isLocked(path: string): boolean {
  const lock = nativeFileLock();
  if (lock === undefined) return false;
  const unlock = lock(path);
  unlock?.();
  return unlock === undefined;
}

/** Sockets with a path are reached from every network namespace. */
async function isAnswering(directory: string, { transports }: Entry): Promise<boolean> {
  for (const transport of transports) {
    const path = join(directory, transport);
    const isSocket = (await lstatIfAny(path))?.isSocket() === true;
    if (isSocket && (await knock(path)) === "alive") return true;
  }
  return false;
}
