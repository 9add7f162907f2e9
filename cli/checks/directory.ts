import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  chooseDomain,
  chooseRoot,
  isPrivateDirectory,
  listDomain,
  listDomains,
  type Root,
} from "../../transports/directory/index.js";
import type { DoctorOptions, Finding } from "./finding.js";

export async function checkDirectory(options: DoctorOptions): Promise<Finding[]> {
  const root = await chooseRoot();
  const domain = chooseDomain(options.domain);
  const where = `${root.path}, chosen by ${root.rule}; domain ${domain}`;
  let exists: boolean;
  try {
    exists = await isPrivateDirectory(root.path);
    if (exists) await isPrivateDirectory(join(root.path, domain));
  } catch (error) {
    const finding = error instanceof Error ? error.message : String(error);
    const advice = "give it to your user with mode 0700, remove it, or set PROTOIPC_DIR to another directory";
    return [{ check: "directory", state: "failure", finding, advice }];
  }
  const found: Finding[] = [
    { check: "directory", state: "ok", finding: exists ? where : `${where} (made when it is needed)` },
  ];
  if (root.rule === "/tmp") {
    const advice = "set XDG_RUNTIME_DIR or PROTOIPC_DIR alike for all processes that are to meet";
    found.push({
      check: "directory",
      state: "warning",
      finding: "XDG_RUNTIME_DIR is not set, as in containers and cron",
      advice,
    });
  }
  const pathBytes = Buffer.byteLength(join(root.path, domain, "n".repeat(64), "unix~0000"));
  if (pathBytes > 107) {
    const finding = `sockets of the longest names would have paths of ${pathBytes} bytes, the limit is 107`;
    found.push({
      check: "directory",
      state: "warning",
      finding,
      advice: "use shorter names, or a shorter PROTOIPC_DIR",
    });
  }
  return found;
}

/** Processes with another environment look elsewhere. */
export async function checkOtherRoots(options: DoctorOptions): Promise<Finding[]> {
  const chosen = await chooseRoot();
  const uid = process.geteuid?.() ?? 0;
  const runtime = process.env["XDG_RUNTIME_DIR"];
  const others: Root[] = [
    { path: `/run/user/${uid}/protoipc`, rule: "/run/user" },
    { path: `/tmp/protoipc-${uid}`, rule: "/tmp" },
    ...(runtime === undefined ? [] : [{ path: join(runtime, "protoipc"), rule: "XDG_RUNTIME_DIR" as const }]),
  ];
  const found: Finding[] = [];
  for (const root of others) {
    if (root.path === chosen.path || !existsSync(root.path)) continue;
    for (const domain of await listDomains(root)) {
      const alive = (await listDomain(root, domain)).filter(({ kind }) => kind === "alive");
      if (alive.length === 0) continue;
      const finding = `${alive.length} endpoints are in ${root.path}, domain ${domain}, which this environment does not look at`;
      found.push({
        check: "other directories",
        state: "warning",
        finding,
        advice: `set PROTOIPC_DIR=${root.path} to see them`,
      });
    }
  }
  for (const domain of await listDomains(chosen)) {
    if (domain === chooseDomain(options.domain)) continue;
    const alive = (await listDomain(chosen, domain)).filter(({ kind }) => kind === "alive");
    if (alive.length === 0) continue;
    const finding = `${alive.length} endpoints are in domain ${domain}`;
    found.push({ check: "other directories", state: "ok", finding, advice: `--domain ${domain} shows them` });
  }
  return found.length > 0
    ? found
    : [{ check: "other directories", state: "ok", finding: "no endpoints elsewhere" }];
}
