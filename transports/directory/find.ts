import { join } from "node:path";
import { TransportError } from "../transport.js";
import { endpointDirectory } from "./claim.js";
import { type Entry, readEntry } from "./entry.js";
import { isPrivateDirectory } from "./private-directory.js";
import type { Root } from "./root.js";

/** An endpoint as its directory shows it. Whether anybody is there is known only by connecting. */
export interface FoundEndpoint {
  readonly directory: string;
  readonly entry: Entry;
}

/**
 * Looks an endpoint up by name. Rejects with a `TransportError`: "notFound", saying where was looked and why there;
 * "denied" where a directory or the entry is not safe to use; "invalid" for a name that no endpoint can have.
 */
export async function findEndpoint(root: Root, domain: string, name: string): Promise<FoundEndpoint> {
  const directory = endpointDirectory(root, domain, name);
  for (const path of [root.path, join(root.path, domain), directory]) {
    if (!(await isPrivateDirectory(path))) throw notFound(root, domain, name, `${path} does not exist`);
  }
  const entry = await readEntry(directory);
  if (entry === undefined) throw notFound(root, domain, name, `${directory} has no entry`);
  return { directory, entry };
}

function notFound(root: Root, domain: string, name: string, why: string): TransportError {
  return new TransportError(
    "notFound",
    `no endpoint ${name} in domain ${domain}: ${why} (the root ${root.path} was chosen by ${root.rule})`,
  );
}
