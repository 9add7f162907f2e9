import { statSync } from "node:fs";
import {
  chooseDomain,
  chooseRoot,
  listDomain,
  listDomains,
  sweepEndpoint,
} from "../../transports/directory/index.js";
import type { DoctorOptions, Finding } from "./finding.js";

export async function checkEndpoints(options: DoctorOptions): Promise<Finding[]> {
  const root = await chooseRoot();
  const domain = chooseDomain(options.domain);
  const listed = await listDomain(root, domain);
  const found: Finding[] = [];
  for (const one of listed) {
    const check = `endpoint ${one.name}`;
    if (one.kind === "refused") {
      const advice = "look at it, and remove it if it is not needed: nobody else will";
      found.push({ check, state: "warning", finding: one.reason.message, advice });
    } else if (one.kind === "dead") {
      const isGone = options.fix === true && (await sweepEndpoint({ root, domain, name: one.name }));
      const finding = `left by process ${one.entry.pid}, which is dead${isGone ? "; removed" : ""}`;
      const advice = "harmless; whoever looks for endpoints removes it, as does --fix";
      found.push(isGone ? { check, state: "ok", finding } : { check, state: "warning", finding, advice });
    }
  }
  const alive = listed.filter(({ kind }) => kind === "alive").length;
  return [{ check: "endpoints", state: "ok", finding: `${alive} alive` }, ...found];
}

/** Names are locked by abstract sockets, which belong to a network namespace. */
export async function checkNetworkNamespace(): Promise<Finding> {
  const check = "network namespace";
  if (process.platform !== "linux") return { check, state: "ok", finding: "is for Linux only" };
  const own = namespaceOf("self", "net");
  const root = await chooseRoot();
  const apart: string[] = [];
  for (const domain of await listDomains(root)) {
    for (const one of await listDomain(root, domain)) {
      if (one.kind !== "dead") continue;
      // Seen as dead by the lock alone; a process of that pid in another network namespace is most likely its owner.
      const theirs = namespaceOf(String(one.entry.pid), "net");
      if (theirs !== undefined && own !== undefined && theirs !== own) apart.push(one.name);
    }
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

function namespaceOf(pid: string, kind: string): number | undefined {
  try {
    return statSync(`/proc/${pid}/ns/${kind}`).ino;
  } catch {
    return undefined;
  }
}
