import { randomBytes } from "node:crypto";
import { link, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, transportErrorOf } from "../errno.js";
import { type Place, TransportError } from "../transport.js";
import { readWindowsFile, removeWindowsFile } from "../windows-file.js";
import { isInOwnProfile } from "../windows-profile.js";
import { TOKEN_BYTES } from "./windows-handshake.js";

/** Where a pipe is, and what its two ends must know: the token that stands with its name in the endpoint's file. */
export interface PipeAt {
  /** As Windows has it: `\\.\pipe\NAME`. */
  readonly path: string;
  /** `undefined` for a pipe that is given by its path: nobody then vouches for the other end. */
  readonly token: Buffer | undefined;
}

const PREFIX = "\\\\.\\pipe\\";
/** 128 bits: nobody guesses it. */
const NAME_BYTES = 16;
const MAX_FILE_BYTES = 1_024;
/** What CreateNamedPipe takes, in characters, all of it. */
const MAX_PATH_CHARACTERS = 256;

/** The path of the file in which a listener says where it listens. */
export function pipeFilePath(directory: string): string {
  return join(directory, "pipe");
}

/** A pipe that nobody has, and the text of its file. */
export function newPipe(): { readonly at: PipeAt; readonly text: string } {
  const path = `${PREFIX}protoipc-v1-${randomBytes(NAME_BYTES).toString("hex")}`;
  const token = randomBytes(TOKEN_BYTES);
  return { at: { path, token }, text: `${JSON.stringify({ path, token: token.toString("hex") })}\n` };
}

/** The pipe of a path that a user gave. Throws a `TransportError` "invalid" for one that is none of this machine's. */
export function pipeByPath(path: string): PipeAt {
  const name = path.slice(PREFIX.length);
  const isPipe = path.toLowerCase().startsWith(PREFIX) && /^[^\\/\0]+$/.test(name);
  if (!isPipe || path.length > MAX_PATH_CHARACTERS) {
    throw new TransportError(
      "invalid",
      `${JSON.stringify(path)} is no pipe: it is ${PREFIX}NAME, with at most ${MAX_PATH_CHARACTERS} characters`,
    );
  }
  return { path, token: undefined };
}

/** The pipe of an endpoint, as its file says. `undefined` where there is none. Throws a `TransportError` "denied". */
export async function pipeOf(place: Extract<Place, { kind: "name" }>): Promise<PipeAt | undefined> {
  if (!(await isInOwnProfile(place.directory))) return undefined;
  const path = pipeFilePath(place.directory);
  const bytes = await readWindowsFile(path, MAX_FILE_BYTES);
  if (bytes === undefined) return undefined;
  const at = parsePipe(bytes.toString("utf8"));
  if (at === undefined) throw new TransportError("denied", `the file ${path} names no pipe of an endpoint`);
  return at;
}

/** Reads the text of an endpoint's file. `undefined` for one that is none. */
export function parsePipe(text: string): PipeAt | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { path, token }: Partial<Record<"path" | "token", unknown>> = value;
  // Nothing but a pipe of this machine: a path to another one would send the caller's identity there.
  if (typeof path !== "string" || !/^\\\\\.\\pipe\\protoipc-v1-[0-9a-f]{32}$/.test(path)) return undefined;
  if (typeof token !== "string" || !/^[0-9a-f]{64}$/.test(token)) return undefined;
  return { path, token: Buffer.from(token, "hex") };
}

/** Writes the file whole, unless there is one. Throws a `TransportError` "inUse" where another process was quicker. */
export async function publishPipe(directory: string, text: string): Promise<void> {
  const path = pipeFilePath(directory);
  const temporary = `${path}~${randomBytes(4).toString("hex")}`;
  try {
    await writeFile(temporary, text, { flag: "wx" });
    await link(temporary, path);
  } catch (error) {
    if (errnoOf(error) === "EEXIST") throw new TransportError("inUse", `another process listens by ${path}`);
    throw transportErrorOf(error, `cannot write ${path}`);
  } finally {
    await removeWindowsFile(temporary);
  }
}

/** Removes the file, if it still is what was written here. */
export async function withdrawPipe(directory: string, text: string): Promise<void> {
  const path = pipeFilePath(directory);
  const bytes = await readWindowsFile(path, MAX_FILE_BYTES);
  if (bytes?.toString("utf8") === text) await removeWindowsFile(path);
}
