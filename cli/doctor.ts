import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { loadBinding } from "../bindings/node/binding.js";
import { Inspect } from "../gen/protoipc/v1/inspect_protoipc.js";
import { open } from "../index.js";
import {
  chooseDomain,
  chooseRoot,
  isPrivateDirectory,
  listDomain,
  listDomains,
  type Root,
  sweepEndpoint,
} from "../transports/directory/index.js";
import type { CommonOptions } from "./endpoint.js";
import { coloured, EXIT_FAILED, plain, printJson, printLine } from "./output.js";

interface DoctorOptions extends CommonOptions {
  readonly fix?: boolean;
}

/** One thing that was looked at. */
interface Finding {
  readonly check: string;
  readonly state: "ok" | "warning" | "failure";
  readonly finding: string;
  /** What to do about it. */
  readonly advice?: string;
}

type Check = (options: DoctorOptions) => Finding | readonly Finding[] | Promise<Finding | readonly Finding[]>;

const CHECKS: Readonly<Record<string, Check>> = {
  node: checkNode,
  directory: checkDirectory,
  "other directories": checkOtherRoots,
  endpoints: checkEndpoints,
  "native part": checkAddon,
  "shared memory": checkSharedMemory,
  descriptors: checkDescriptors,
  "network namespace": checkNetworkNamespace,
  container: checkContainer,
  "self test": checkSelf,
};

/** Looks at all that this machine needs for endpoints to meet. Exit code 1 where something fails. */
export async function doctor(options: DoctorOptions): Promise<void> {
  const findings: Finding[] = [];
  for (const [check, run] of Object.entries(CHECKS)) {
    let found: readonly Finding[];
    try {
      found = [await run(options)].flat();
    } catch (error) {
      found = [{ check, state: "failure", finding: error instanceof Error ? error.message : String(error) }];
    }
    findings.push(...found);
    if (options.json !== true) for (const finding of found) print(finding);
  }
  const isFailed = findings.some(({ state }) => state === "failure");
  if (options.json === true) printJson({ ok: !isFailed, findings });
  if (isFailed) process.exitCode = EXIT_FAILED;
}

function print({ check, state, finding, advice }: Finding): void {
  const mark = {
    ok: coloured("ok     ", "green"),
    warning: coloured("warning", "yellow"),
    failure: coloured("failure", "red"),
  };
  printLine(`${mark[state]}  ${check}: ${plain(finding)}`);
  if (advice !== undefined) printLine(`         → ${plain(advice)}`);
}

const LEAST_NODE = [20, 19];

function checkNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const isOld = major < LEAST_NODE[0]! || (major === LEAST_NODE[0] && minor < LEAST_NODE[1]!);
  const finding = `Node ${process.versions.node} on ${process.platform} ${process.arch}`;
  if (isOld)
    return {
      check: "node",
      state: "failure",
      finding,
      advice: `install Node ${LEAST_NODE.join(".")} or later`,
    };
  if (process.platform === "linux") return { check: "node", state: "ok", finding };
  return {
    check: "node",
    state: "warning",
    finding,
    advice: "protoipc is run on Linux; elsewhere it is not tested",
  };
}

async function checkDirectory(options: DoctorOptions): Promise<Finding[]> {
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
async function checkOtherRoots(options: DoctorOptions): Promise<Finding[]> {
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

async function checkEndpoints(options: DoctorOptions): Promise<Finding[]> {
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

function checkAddon(): Finding[] {
  const loaded = loadBinding();
  if (loaded.binding !== undefined)
    return [{ check: "native part", state: "ok", finding: "built, and loads" }];
  const compiler = process.env["CC"] ?? "cc";
  const hasCompiler = (process.env["PATH"] ?? "")
    .split(delimiter)
    .some((folder) => isExecutable(join(folder, compiler)));
  const advice = hasCompiler
    ? "npx protoipc build"
    : `install a C compiler (gcc or clang), then: npx protoipc build`;
  const finding = `${loaded.reason}; there is no shared memory, and no word of the kernel on who a peer is`;
  return [{ check: "native part", state: "warning", finding, advice }];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

const MIB = 1_048_576;
/** The segments of a handful of links. */
const LITTLE_BYTES = 64 * MIB;

/** Shared memory is anonymous (memfd): it counts as memory of the process, and needs no /dev/shm. */
function checkSharedMemory(): Finding[] {
  if (process.platform !== "linux")
    return [{ check: "shared memory", state: "ok", finding: "is for Linux only" }];
  const found: Finding[] = [];
  const limit = memoryLimit();
  if (limit === undefined)
    found.push({ check: "shared memory", state: "ok", finding: "no limit of a control group" });
  else {
    const [leftBytes, maxBytes] = limit;
    const finding = `${Math.round(leftBytes / MIB)} MiB left of ${Math.round(maxBytes / MIB)} MiB of this control group`;
    const advice =
      "segments count as memory of the group: raise its limit, or use the socket (PROTOIPC_TRANSPORTS=unix)";
    found.push(
      leftBytes < LITTLE_BYTES
        ? { check: "shared memory", state: "warning", finding, advice }
        : { check: "shared memory", state: "ok", finding },
    );
  }
  try {
    const { bsize, bavail } = statfsSync("/dev/shm");
    found.push({
      check: "shared memory",
      state: "ok",
      finding: `/dev/shm has ${Math.round((bsize * bavail) / MIB)} MiB free; it is not used`,
    });
  } catch {
    found.push({ check: "shared memory", state: "ok", finding: "there is no /dev/shm, and none is needed" });
  }
  return found;
}

function memoryLimit(): [leftBytes: number, maxBytes: number] | undefined {
  try {
    const group = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "/";
    const max = readFileSync(join("/sys/fs/cgroup", group, "memory.max"), "utf8").trim();
    if (max === "max") return undefined;
    const current = Number(readFileSync(join("/sys/fs/cgroup", group, "memory.current"), "utf8"));
    return [Number(max) - current, Number(max)];
  } catch {
    return undefined;
  }
}

const FEW_DESCRIPTORS = 1_024;

function checkDescriptors(): Finding {
  const check = "descriptors";
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    const soft = /^Max open files\s+(\S+)\s+(\S+)/m.exec(limits);
    const most = Number(soft?.[1]);
    const finding = `${soft?.[1]} open files at most, ${soft?.[2]} if raised`;
    if (most < FEW_DESCRIPTORS)
      return {
        check,
        state: "warning",
        finding,
        advice: "each link takes one to six: raise it with ulimit -n",
      };
    return { check, state: "ok", finding };
  } catch {
    return { check, state: "ok", finding: "not known here" };
  }
}

/** Names are locked by abstract sockets, which belong to a network namespace. */
async function checkNetworkNamespace(): Promise<Finding> {
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

const NETWORK_FILE_SYSTEMS: Readonly<Record<number, string>> = {
  26985: "NFS",
  4283649346: "CIFS",
  4266872130: "SMB",
  1702057286: "FUSE",
};

async function checkContainer(): Promise<Finding[]> {
  const check = "container";
  const found: Finding[] = [];
  const root = await chooseRoot();
  if (existsSync(root.path)) {
    const name = NETWORK_FILE_SYSTEMS[statfsSync(root.path).type];
    if (name !== undefined) {
      const advice = "set PROTOIPC_DIR to a directory on a local file system";
      found.push({
        check,
        state: "failure",
        finding: `${root.path} is on ${name}: sockets and their events do not work there`,
        advice,
      });
    }
  }
  if (existsSync("/.dockerenv") || existsSync("/run/.containerenv")) {
    const advice =
      "to meet processes outside: share the directory and the network namespace (for example --network host, -v), and run as the same user";
    found.push({ check, state: "warning", finding: "this is a container", advice });
  }
  return found.length > 0
    ? found
    : [{ check, state: "ok", finding: "not seen to be one; the directory is on a local file system" }];
}

/** Two endpoints that talk over each transport there is. */
async function checkSelf({ timeout, domain }: DoctorOptions): Promise<Finding[]> {
  const check = "self test";
  const name = `doctor-${process.pid}`;
  const server = await open({ name, domain, drainTimeoutMs: 100 });
  const client = await open({ domain, discoverable: false, drainTimeoutMs: 100 });
  try {
    const found: Finding[] = [];
    for (const address of server.addresses) {
      const startMs = performance.now();
      await client.client(Inspect, address).ping({}, { timeoutMs: timeout });
      found.push({
        check,
        state: "ok",
        finding: `${address}: connected and answered within ${(performance.now() - startMs).toFixed(1)} ms`,
      });
    }
    const { link } = await client.connect(name, { signal: AbortSignal.timeout(timeout) });
    found.push({ check, state: "ok", finding: `${name}: ${link.transport} is taken, as ${link.reason}` });
    return found;
  } finally {
    await Promise.all([client.close(), server.close()]);
  }
}
