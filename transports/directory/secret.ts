import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { errnoOf, transportErrorOf } from "../errno.js";
import { TransportError } from "../transport.js";
import { createFile, readOwnFile } from "./own-file.js";

const SECRET_BYTES = 32;

/** The path of the secret in an endpoint's directory. */
export function secretPath(directory: string): string {
  return join(directory, "secret");
}

/** The secret in an endpoint's directory, `undefined` when there is none. */
export async function readSecret(directory: string): Promise<Buffer | undefined> {
  const path = secretPath(directory);
  const secret = await readOwnFile(path, SECRET_BYTES);
  if (secret !== undefined && secret.length !== SECRET_BYTES) {
    throw new TransportError("denied", `the file ${path} has ${secret.length} bytes, not ${SECRET_BYTES}`);
  }
  return secret;
}

/**
 * The secret that all contenders for the name agree on: the one that is there, else a new one. `undefined` when another
 * process is just removing the directory.
 */
export async function agreeOnSecret(directory: string): Promise<Buffer | undefined> {
  const found = await readSecret(directory);
  if (found !== undefined) return found;
  try {
    await createFile(secretPath(directory), randomBytes(SECRET_BYTES));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw transportErrorOf(error, `cannot write into ${directory}`);
  }
  return readSecret(directory);
}
