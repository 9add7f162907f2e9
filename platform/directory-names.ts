import type { Names } from "../runtime/names.js";
import { chooseDomain, chooseRoot, claimName, findEndpoint } from "../transports/directory/index.js";

/** Names that are directories below the root. */
export function directoryNames(domain: string | undefined): Names {
  const chosen = chooseDomain(domain);
  return {
    domain: chosen,
    async claim(name, incarnation) {
      return claimName({ root: await chooseRoot(), domain: chosen, name, incarnation });
    },
    async locate(name) {
      const { directory, entry } = await findEndpoint(await chooseRoot(), chosen, name);
      return { directory, transports: entry.transports };
    },
  };
}
