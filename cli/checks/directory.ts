import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  chooseDomain,
  chooseRoot,
  isPrivateDirectory,
  listDomain,
  listDomains,
  type Root,
} from "../../transports/directory/index.js";
import { nativeFileLock } from "../file-lock.js";
import type { DoctorOptions, Finding } from "./finding.js";

/** There are no sockets there, and no modes: names stand in the profile. */
const ON_WINDOWS = process.platform === "win32";

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
    const advice =
      "give it to your user with mode 0700, let that enter what is above, or set PROTOIPC_DIR to another directory";
    return [{ check: "directory", state: "failure", finding, advice }];
  }
  const found: Finding[] = [
    ...checkAncestors(root.path),
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
  if (pathBytes > 107 && !ON_WINDOWS) {
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

const WRITE_BY_GROUP_AND_OTHERS = 0o022;
const STICKY = 0o1000;

/** The parent is checked by whoever uses the directory. What is above that can be replaced with all that is in it. */
function checkAncestors(path: string): Finding[] {
  if (ON_WINDOWS) return [];
  const found: Finding[] = [];
  for (
    let inner = dirname(path), outer = dirname(inner);
    inner !== outer;
    inner = outer, outer = dirname(outer)
  ) {
    const { uid, mode } = statSync(outer, { throwIfNoEntry: false }) ?? { uid: 0, mode: 0 };
    const isOpen = (mode & WRITE_BY_GROUP_AND_OTHERS) !== 0 && (mode & STICKY) === 0;
    const isForeign = uid !== 0 && uid !== process.geteuid?.();
    if (!isOpen && !isForeign) continue;
    const why = isForeign
      ? `belongs to user ${uid}`
      : `has mode ${(mode & 0o7777).toString(8).padStart(4, "0")}`;
    const finding = `other users can replace ${inner}, as ${outer} ${why}`;
    const advice = `take the right to write there from them, or set PROTOIPC_DIR to another directory`;
    found.push({ check: "directory", state: "warning", finding, advice });
  }
  return found;
}

/** Processes with another environment look elsewhere. */
export async function checkOtherRoots(options: DoctorOptions): Promise<Finding[]> {
  const chosen = await chooseRoot();
  const others = ON_WINDOWS ? await profileRoot() : unixRoots();
  const found: Finding[] = [];
  for (const root of others) {
    if (root.path === chosen.path || !existsSync(root.path)) continue;
    for (const domain of await listDomains(root)) {
      const alive = (await listDomain(root, domain, nativeFileLock())).filter(({ kind }) => kind === "alive");
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
    const alive = (await listDomain(chosen, domain, nativeFileLock())).filter(({ kind }) => kind === "alive");
    if (alive.length === 0) continue;
    const finding = `${alive.length} endpoints are in domain ${domain}`;
    found.push({ check: "other directories", state: "ok", finding, advice: `--domain ${domain} shows them` });
  }
  return found.length > 0
    ? found
    : [{ check: "other directories", state: "ok", finding: "no endpoints elsewhere" }];
}

function unixRoots(): Root[] {
  const uid = process.geteuid?.() ?? 0;
  const runtime = process.env["XDG_RUNTIME_DIR"];
  return [
    { path: `/run/user/${uid}/protoipc`, rule: "/run/user" },
    { path: `/tmp/protoipc-${uid}`, rule: "/tmp" },
    ...(runtime === undefined ? [] : [{ path: join(runtime, "protoipc"), rule: "XDG_RUNTIME_DIR" as const }]),
  ];
}

/** What is chosen without PROTOIPC_DIR, where there is such. */
async function profileRoot(): Promise<Root[]> {
  const { LOCALAPPDATA } = process.env;
  return LOCALAPPDATA === undefined ? [] : [await chooseRoot({ LOCALAPPDATA })];
}
