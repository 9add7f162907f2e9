import type { Discovery, FoundEndpoint, Names } from "../runtime/names.js";
import {
  chooseDomain,
  chooseRoot,
  claimName,
  type DomainWatch,
  type Entry,
  type FileLock,
  findEndpoint,
  isMadeUp,
  makeUpName,
  watchDomain,
} from "../transports/directory/index.js";

export interface DirectoryNamesOptions {
  readonly domain: string | undefined;
  /** Taken beside the claim, where there is native code for it. */
  readonly fileLock?: FileLock | undefined;
  /** What entries say of this implementation. */
  readonly implementation: string;
}

/** Names that are directories below the root. */
export function directoryNames({ domain, fileLock, implementation }: DirectoryNamesOptions): Names {
  const chosen = chooseDomain(domain);
  const claim: Names["claim"] = async (name, incarnation) =>
    claimName({ root: await chooseRoot(), domain: chosen, name, incarnation, implementation, fileLock });
  const discovery: Discovery = {
    claimAny: (incarnation) => claim(makeUpName(process.pid), incarnation),
    watch(listener) {
      let watch: DomainWatch | undefined;
      let isStopped = false;
      const begin = async (): Promise<void> => {
        const root = await chooseRoot();
        if (isStopped) return;
        watch = watchDomain(
          { root, domain: chosen, fileLock },
          {
            onFound: (entry) => listener.onFound(foundOf(entry)),
            onChanged: (entry, before) => listener.onChanged(foundOf(entry), foundOf(before)),
            onGone: (entry) => listener.onGone(foundOf(entry)),
            onRefused: (name, reason) => listener.onRefused(name, reason),
          },
        );
        await watch.ready;
      };
      return {
        ready: begin().catch((error: unknown) => listener.onRefused(chosen, error)),
        stop() {
          isStopped = true;
          watch?.stop();
        },
      };
    },
  };
  return {
    domain: chosen,
    claim,
    async locate(name) {
      const { directory, entry } = await findEndpoint(await chooseRoot(), chosen, name);
      return { directory, transports: entry.transports };
    },
    discovery,
  };
}

function foundOf(entry: Entry): FoundEndpoint {
  const { name, pid, startTime, incarnation, implementation, transports, services, topics } = entry;
  return {
    name: isMadeUp(name) ? "" : name,
    address: name,
    pid,
    startTime,
    incarnation,
    implementation,
    transports,
    services,
    topics,
  };
}
