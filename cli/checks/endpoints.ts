import {
  chooseDomain,
  chooseRoot,
  type ListedEndpoint,
  listDomain,
  listDomains,
  type Root,
  sweepEndpoint,
} from "../../transports/directory/index.js";
import { nativeFileLock } from "../file-lock.js";
import type { DoctorOptions, Finding } from "./finding.js";

/** Names are locked by abstract sockets, which belong to a network namespace. */
export async function checkNetworkNamespace(): Promise<Finding> {
  const check = "network namespace";
  if (process.platform !== "linux") return { check, state: "ok", finding: "is for Linux only" };
  const root = await chooseRoot();
  const apart: string[] = [];
  for (const domain of await listDomains(root)) {
    for (const { kind, name } of await listDomain(root, domain, nativeFileLock()))
      if (kind === "elsewhere") apart.push(name);
  }
  if (apart.length === 0)
    return { check, state: "ok", finding: "no endpoint of another one in the directory" };
  const finding = `${apart.join(", ")}: alive in another network namespace, where locks are not seen from here`;
  return {
    check,
    state: "failure",
    finding,
    advice: "let the containers share the network namespace, or give each a PROTOIPC_DIR of its own",
  };
}

/** What stands in the domain. With --fix, what is dead goes. */
export async function checkEndpoints(options: DoctorOptions): Promise<Finding[]> {
  const root = await chooseRoot();
  const domain = chooseDomain(options.domain);
  const surveyed = await listDomain(root, domain, nativeFileLock());
  const alive = surveyed.filter(({ kind }) => kind === "alive").length;
  const found: Finding[] = [{ check: "endpoints", state: "ok", finding: `${alive} alive` }];
  for (const one of surveyed) {
    if (one.kind === "alive") continue;
    const check = `endpoint ${one.name}`;
    if (one.kind === "refused") {
      const advice = "look at it, and remove it if it is not needed: nobody else will";
      found.push({ check, state: "warning", finding: one.reason.message, advice });
    } else if (one.kind === "elsewhere") {
      const finding = `of process ${one.entry.pid}, which is alive in another network namespace`;
      found.push({ check, state: "warning", finding, advice: "it stays: see network namespace" });
    } else {
      found.push({ check, ...(await aboutDead(one, root, domain, options.fix === true)) });
    }
  }
  return found;
}

async function aboutDead(
  { name, entry }: Exclude<ListedEndpoint, { readonly kind: "refused" }>,
  root: Root,
  domain: string,
  fixes: boolean,
): Promise<Omit<Finding, "check">> {
  const finding = `left by process ${entry.pid}, which is dead`;
  if (!fixes) {
    const advice = "harmless; whoever looks for endpoints removes it, as does --fix";
    return { state: "warning", finding, advice };
  }
  const fileLock = nativeFileLock();
  if (fileLock === undefined && process.platform === "linux") {
    // The other lock is one of this network namespace alone.
    const advice =
      "only a lock of the native part, which is missing, proves that in every network namespace: npx protoipc build";
    return { state: "warning", finding: `${finding}; not removed`, advice };
  }
  return (await sweepEndpoint({ root, domain, name, fileLock }))
    ? { state: "ok", finding: `${finding}; removed` }
    : { state: "warning", finding: `${finding}; not removed`, advice: "another process has just taken it" };
}
