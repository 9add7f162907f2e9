import { join } from "node:path";
import { TransportError } from "../transport.js";
import { readOwnFile, replaceFile } from "./own-file.js";

/** A service or a topic, as an entry names it. */
export interface EntryItem {
  readonly name: string;
  /** A hash of its schema in hexadecimal; empty: it is not known. */
  readonly fingerprint: string;
}

/** What an endpoint says of itself in its directory. */
export interface Entry {
  readonly name: string;
  readonly pid: number;
  /** When the process was started, in the kernel's count; empty where that is not known. */
  readonly startTime: string;
  /** The run of the endpoint, in hexadecimal: the same as in its Hello. */
  readonly incarnation: string;
  readonly implementation: string;
  /** The transports that it listens on, best first; each has a file of that name. */
  readonly transports: readonly string[];
  readonly services: readonly EntryItem[];
  readonly topics: readonly EntryItem[];
  /** The major version of the wire protocol. */
  readonly protocol: number;
}

/** 2,000 services and topics of the usual length; a reader has to bound what it reads. */
export const MAX_ENTRY_BYTES = 262_144;

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

/**
 * Writes an endpoint's entry. The caller holds the claim. Throws a `TransportError` "invalid" for one that would be too
 * long to be read.
 */
export async function writeEntry(directory: string, entry: Entry): Promise<void> {
  const text = `${JSON.stringify(entry)}\n`;
  const size = Buffer.byteLength(text);
  if (size > MAX_ENTRY_BYTES) {
    const what = `${entry.services.length} services and ${entry.topics.length} topics`;
    throw new TransportError(
      "invalid",
      `the entry of ${entry.name}, with ${what}, has ${size} bytes, the limit is ${MAX_ENTRY_BYTES}`,
    );
  }
  await replaceFile(entryPath(directory), text);
}

function parseEntry(text: string): Entry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { name, pid, incarnation, protocol, ...rest }: Partial<Record<keyof Entry, unknown>> = value;
  const { startTime = "", implementation = "", transports, services = [], topics = [] } = rest;
  if (typeof name !== "string" || typeof incarnation !== "string") return undefined;
  if (typeof startTime !== "string" || typeof implementation !== "string") return undefined;
  if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid < 1) return undefined;
  if (typeof protocol !== "number" || !Number.isSafeInteger(protocol)) return undefined;
  if (!Array.isArray(transports) || !transports.every((item) => typeof item === "string")) return undefined;
  if (!isItems(services) || !isItems(topics)) return undefined;
  return {
    name,
    pid,
    startTime,
    incarnation,
    implementation,
    transports,
    services: services.map(itemOf),
    topics: topics.map(itemOf),
    protocol,
  };
}

function isItems(value: unknown): value is EntryItem[] {
  return Array.isArray(value) && value.every(isItem);
}

function isItem(value: unknown): value is EntryItem {
  if (typeof value !== "object" || value === null) return false;
  const { name, fingerprint = "" }: Partial<Record<keyof EntryItem, unknown>> = value;
  return typeof name === "string" && typeof fingerprint === "string";
}

function itemOf({ name, fingerprint = "" }: Partial<EntryItem> & { readonly name: string }): EntryItem {
  return { name, fingerprint };
}
