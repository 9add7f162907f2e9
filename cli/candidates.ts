import { chooseDomain, chooseRoot, listDomain } from "../transports/directory/index.js";
import { describeAll, isTopicKind, itemsOf } from "./catalog.js";
import { withEndpoint } from "./endpoint.js";

const TIMEOUT_MS = 1_000;

export async function addresses(): Promise<string[]> {
  const listed = await listDomain(await chooseRoot(), chooseDomain(undefined));
  return listed.filter(({ kind }) => kind === "alive").map(({ name }) => name);
}

export async function names(isWanted: (isTopic: boolean) => boolean): Promise<string[]> {
  return withEndpoint({ timeout: TIMEOUT_MS }, async (endpoint) => {
    const { described } = await describeAll(endpoint, undefined, TIMEOUT_MS);
    const items = itemsOf(described).filter(({ method }) => isWanted(isTopicKind(method)));
    return [...new Set(items.map(({ method }) => method.fullName))];
  });
}
