import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** What shared memory takes of a process, and nothing else of Node's does. */
export interface NativeThings {
  readonly sockets: number;
  readonly pidfds: number;
  readonly segments: number;
  readonly maps: number;
}

/** Of this process, or of another one of ours. */
export function nativeThings(pid: number | "self" = "self"): NativeThings {
  const targets = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return "";
    }
  });
  const count = (pattern: RegExp): number => targets.filter((target) => pattern.test(target)).length;
  const maps = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n");
  return {
    sockets: count(/^socket:/),
    pidfds: count(/^(anon_inode:\[pidfd\]|pidfd:)/),
    segments: count(/^\/memfd:/),
    maps: maps.filter((line) => line.includes("/memfd:")).length,
  };
}
