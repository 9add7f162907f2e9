import type { Names } from "../runtime/names.js";
import {
  chooseDomain,
  chooseRoot,
  claimName,
  type FileLock,
  findEndpoint,
} from "../transports/directory/index.js";

/** Names that are directories below the root. `fileLock`: taken beside the claim, where there is native code for it. */
export function directoryNames(domain: string | undefined, fileLock?: FileLock | undefined): Names {
  const chosen = chooseDomain(domain);
  return {
    domain: chosen,
    async claim(name, incarnation) {
      return claimName({ root: await chooseRoot(), domain: chosen, name, incarnation, fileLock });
    },
    async locate(name) {
      const { directory, entry } = await findEndpoint(await chooseRoot(), chosen, name);
      return { directory, transports: entry.transports };
    },
  };
}
