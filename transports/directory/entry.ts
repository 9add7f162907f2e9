import { join } from "node:path";
import { TransportError } from "../transport.js";
import { readOwnFile, replaceFile } from "./own-file.js";

/** What an endpoint says of itself in its directory. */
export interface Entry {
  readonly name: string;
  readonly pid: number;
  /** The run of the endpoint, in hexadecimal: the same as in its Hello. */
  readonly incarnation: string;
  /** The transports that it listens on, best first; each has a file of that name. */
  readonly transports: readonly string[];
  /** The major version of the wire protocol. */
  readonly protocol: number;
}

const MAX_ENTRY_BYTES = 65_536;

/** The path of the entry in an endpoint's directory. */
export function entryPath(directory: string): string {
  return join(directory, "entry");
}

/**
 * Reads an endpoint's entry. `undefined` when there is none. Throws a `TransportError` "denied" for a file that is not
 * ours or no entry.
 */
export async function readEntry(directory: string): Promise<Entry | undefined> {
  const path = entryPath(directory);
  const bytes = await readOwnFile(path, MAX_ENTRY_BYTES);
  if (bytes === undefined) return undefined;
  const entry = parseEntry(bytes.toString("utf8"));
  if (entry === undefined) throw new TransportError("denied", `the file ${path} is no entry of an endpoint`);
  return entry;
}

/** Writes an endpoint's entry. The caller holds the claim. */
export async function writeEntry(directory: string, entry: Entry): Promise<void> {
  await replaceFile(entryPath(directory), `${JSON.stringify(entry)}\n`);
}

function parseEntry(text: string): Entry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { name, pid, incarnation, transports, protocol }: Partial<Record<keyof Entry, unknown>> = value;
  if (typeof name !== "string" || typeof incarnation !== "string") return undefined;
  if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid < 1) return undefined;
  if (typeof protocol !== "number" || !Number.isSafeInteger(protocol)) return undefined;
  if (!Array.isArray(transports) || !transports.every((item) => typeof item === "string")) return undefined;
  return { name, pid, incarnation, transports, protocol };
}
