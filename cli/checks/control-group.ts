import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** How much memory the processes of a control group may have. */
export interface MemoryLimit {
  readonly leftBytes: number;
  readonly maxBytes: number;
  /** The file that says so. */
  readonly path: string;
}

/** Where a version of control groups has its memory: which line of /proc/self/cgroup, which folder, which files. */
interface Version {
  readonly line: RegExp;
  readonly folder: string;
  readonly max: string;
  readonly current: string;
}

const VERSIONS: readonly Version[] = [
  { line: /^0::(.*)$/m, folder: "sys/fs/cgroup", max: "memory.max", current: "memory.current" },
  {
    line: /^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(.*)$/m,
    folder: "sys/fs/cgroup/memory",
    max: "memory.limit_in_bytes",
    current: "memory.usage_in_bytes",
  },
];

/** Version 1 has no word for "no limit", but the largest number of pages. */
const NO_LIMIT_BYTES = 2 ** 60;

/**
 * The limit of this process's control group, or of one above it, that leaves the least; `undefined` where there is none.
 * `root` is where the file systems of the kernel are.
 */
export function memoryLimit(root = "/"): MemoryLimit | undefined {
  const groups = textOf(join(root, "proc/self/cgroup")) ?? "";
  const limits = VERSIONS.flatMap((version) => {
    const group = version.line.exec(groups)?.[1];
    return group === undefined ? [] : limitsFrom(join(root, version.folder), group, version);
  });
  return limits.sort((a, b) => a.leftBytes - b.leftBytes)[0];
}

function limitsFrom(folder: string, group: string, version: Version): MemoryLimit[] {
  const { max, current } = version;
  const path = join(folder, group, max);
  const maxBytes = Number(textOf(path) ?? "none");
  const leftBytes = maxBytes - Number(textOf(join(folder, group, current)) ?? 0);
  const here = maxBytes < NO_LIMIT_BYTES ? [{ leftBytes, maxBytes, path }] : [];
  // In a container the group may not be seen, but what stands for it at the top.
  return group === "/" ? here : [...here, ...limitsFrom(folder, dirname(group), version)];
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}
