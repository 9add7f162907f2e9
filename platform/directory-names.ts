import type { Names } from "../runtime/names.js";
import {
  chooseDomain,
  chooseRoot,
  claimName,
  endpointDirectory,
  readEntry,
} from "../transports/directory/index.js";

/** Names that are directories below the root. */
export function directoryNames(domain: string | undefined): Names {
  const chosen = chooseDomain(domain);
  return {
    domain: chosen,
    async claim(name, incarnation) {
      return claimName({ root: await chooseRoot(), domain: chosen, name, incarnation });
    },
    async locate(name) {
      const directory = endpointDirectory(await chooseRoot(), chosen, name);
      const entry = await readEntry(directory);
      const transports = entry === undefined || entry.transports.length === 0 ? undefined : entry.transports;
      return { directory, transports };
    },
  };
}
