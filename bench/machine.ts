import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import { dirname, join } from "node:path";
import type { Durations } from "./measure.js";
import { compilerVersion } from "./native.js";
import { loadPeer, PEER_NAMES } from "./peers/index.js";
import type { Peer } from "./peers/peer.js";
import type { Pinning } from "./pinning.js";

/** Under which circumstances a result came about. */
export interface Header extends Durations {
  /** ISO 8601, when the run began. */
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly memoryBytes: number;
  /** Over 1, 5 and 15 minutes, when the run began. */
  readonly loadAverage: readonly number[];
  /** Of node, of every package of a peer, and of the C compiler. */
  readonly versions: Readonly<Record<string, string>>;
  readonly pinning: Pinning;
  readonly rounds: number;
}

export async function describeMachine(
  peers: readonly Peer[],
  pinning: Pinning,
  settings: Durations & { readonly rounds: number },
): Promise<Header> {
  const packages = [...new Set(peers.flatMap((peer) => peer.packages))];
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    kernel: `${type()} ${release()}`,
    memoryBytes: totalmem(),
    loadAverage: loadavg().map((load) => Math.round(load * 100) / 100),
    versions: Object.fromEntries([
      ["node", process.versions.node],
      ...packages.map((name) => [name, packageVersion(name)]),
      ["C compiler", await compilerVersion()],
    ]),
    pinning,
    ...settings,
  };
}

/** The peers that can be loaded here, and why the others cannot. */
export async function loadPeers(): Promise<{ readonly peers: Peer[]; readonly missing: string[] }> {
  const peers: Peer[] = [];
  const missing: string[] = [];
  for (const name of PEER_NAMES) {
    try {
      peers.push(await loadPeer(name));
    } catch (error) {
      missing.push(`${name}: ${error instanceof Error ? error.message : error}`);
    }
  }
  return { peers, missing };
}

/** From the package's own package.json; "unknown" where there is none. */
function packageVersion(name: string): string {
  for (
    let directory = import.meta.dirname;
    directory !== dirname(directory);
    directory = dirname(directory)
  ) {
    const own = readVersion(join(directory, "package.json"));
    if (own?.name === name) return own.version;
    const installed = readVersion(join(directory, "node_modules", name, "package.json"));
    if (installed !== undefined) return installed.version;
  }
  return "unknown";
}

function readVersion(path: string): { readonly name: string; readonly version: string } | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}
