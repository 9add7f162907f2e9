import { statSync } from "node:fs";
import { join } from "node:path";
import { knock, knockFifo, lstatIfAny } from "../bind-path.js";
import type { Entry } from "./entry.js";
import type { FileLock } from "./lock.js";
import { isRunning } from "./process-start.js";
import { secretPath } from "./secret.js";

/**
 * Whether an owner whose lock is free here gives a sign of life: abstract sockets are seen in their own network namespace
 * alone. One sign is enough: containers may share the directory alone, so that no pid is seen, and an owner or a looker
 * without native code has no lock of a file. A process that ends may seem to live elsewhere for a moment.
 */
export async function livesElsewhere(
  directory: string,
  entry: Entry,
  fileLock: FileLock | undefined,
): Promise<boolean> {
  if (process.platform !== "linux") return false;
  return (
    (await isInOtherNamespace(entry)) ||
    (fileLock !== undefined && isLocked(secretPath(directory), fileLock)) ||
    (await isAnswering(directory, entry))
  );
}

/** Without its start time an entry may name a process that came after the owner, and a namespace says nothing then. */
async function isInOtherNamespace(entry: Entry): Promise<boolean> {
  if (entry.startTime === "" || !(await isRunning(entry))) return false;
  const [own, theirs] = [networkOf("self"), networkOf(String(entry.pid))];
  return own !== undefined && theirs !== undefined && own !== theirs;
}

function networkOf(pid: string): number | undefined {
  try {
    return statSync(`/proc/${pid}/ns/net`).ino;
  } catch {
    return undefined;
  }
}

function isLocked(path: string, lock: FileLock): boolean {
  const unlock = lock(path);
  unlock?.();
  return unlock === undefined;
}

/** Sockets and FIFOs with a path are reached from every network namespace. */
async function isAnswering(directory: string, { transports }: Entry): Promise<boolean> {
  for (const transport of transports) {
    // What an entry names is its writer's word: only a file of this directory is looked at.
    if (!/^[a-z]+$/.test(transport)) continue;
    const path = join(directory, transport);
    const found = await lstatIfAny(path);
    if (found?.isSocket() === true && (await knock(path)) === "alive") return true;
    if (found?.isFIFO() === true && knockFifo(path) === "alive") return true;
  }
  return false;
}
