import { TransportError } from "../transport.js";
import { type Entry, readEntry } from "./entry.js";
import { livesElsewhere } from "./elsewhere.js";
import type { FileLock } from "./lock.js";
import { checkEndpointName } from "./names.js";
import { watchOwner, type Presence } from "./presence.js";
import { isPrivateDirectory } from "./private-directory.js";

/** What a directory of the domain holds. */
export type Examined =
  /** Nothing, or nothing yet: an endpoint that starts or ends. */
  | { readonly kind: "absent" }
  /** Something that must not be used: another user's, a link, no entry. */
  | { readonly kind: "refused"; readonly reason: TransportError }
  /** The entry of an endpoint whose process has ended. */
  | { readonly kind: "dead"; readonly entry: Entry }
  /** The entry of an endpoint in another network namespace, from where its lock is not seen. */
  | { readonly kind: "elsewhere"; readonly entry: Entry }
  /** An endpoint; `presence` is to be stopped. */
  | { readonly kind: "alive"; readonly entry: Entry; readonly presence: Presence };

/**
 * Looks at what may be an endpoint's directory. `known`: an endpoint that was found there before, and still lives; it is
 * not asked again.
 */
export async function examine(
  directory: string,
  name: string,
  known: { readonly incarnation: string; readonly presence: Presence } | undefined,
  fileLock: FileLock | undefined,
): Promise<Examined> {
  try {
    checkEndpointName(name);
    if (!(await isPrivateDirectory(directory))) return { kind: "absent" };
    const entry = await readEntry(directory);
    if (entry === undefined) return { kind: "absent" };
    if (entry.name !== name) {
      throw new TransportError("denied", `the entry in ${directory} is of another endpoint, ${entry.name}`);
    }
    if (known?.incarnation === entry.incarnation) return { kind: "alive", entry, presence: known.presence };
    const presence = await watchOwner(directory, name);
    if (presence !== undefined) return { kind: "alive", entry, presence };
    return { kind: (await livesElsewhere(directory, entry, fileLock)) ? "elsewhere" : "dead", entry };
  } catch (error) {
    // Being removed, which only Windows shows.
    if (error instanceof TransportError && error.kind === "busy") return { kind: "absent" };
    if (error instanceof TransportError) return { kind: "refused", reason: error };
    throw error;
  }
}
