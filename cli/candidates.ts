import { chooseDomain, chooseRoot, listDomain, listDomains } from "../transports/directory/index.js";
import { nativeFileLock } from "./file-lock.js";

const TIMEOUT_MS = 1_000;

/** The endpoints that are there; with their transports where one is begun: "unix:". */
export async function addresses(domain: string | undefined, begun: string): Promise<string[]> {
  const listed = await listDomain(await chooseRoot(), chooseDomain(domain), nativeFileLock());
  return listed.flatMap((one) => {
    if (one.kind !== "alive") return [];
    return begun.includes(":") ? one.entry.transports.map((name) => `${name}:${one.name}`) : one.name;
  });
}

export async function domains(): Promise<string[]> {
  return listDomains(await chooseRoot());
}

/** The methods and topics that endpoints have, or the one at an address. */
export async function names(
  domain: string | undefined,
  to: string | undefined,
  isWanted: (isTopic: boolean) => boolean,
): Promise<string[]> {
  const { describeAll, isTopicKind, itemsOf } = await import("./catalog.js");
  const { withEndpoint } = await import("./endpoint.js");
  const options = { domain, to, timeout: TIMEOUT_MS };
  return withEndpoint(options, async (endpoint) => {
    const { described } = await describeAll(endpoint, options);
    const items = itemsOf(described).filter(({ method }) => isWanted(isTopicKind(method)));
    return items.map(({ method }) => method.fullName);
  });
}
