import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Where the two processes of a program run. */
export interface Cpus {
  readonly server: number;
  readonly client: number;
}

export type Pinning =
  | { readonly kind: "pinned"; readonly cpus: Cpus }
  /** The system decides, and why. */
  | { readonly kind: "free"; readonly reason: string };

/** Two CPUs of different cores out of those that this process may use. */
export function choosePinning(): Pinning {
  let text: string;
  try {
    text = execFileSync("taskset", ["-pc", String(process.pid)], { encoding: "utf8", stdio: "pipe" });
  } catch {
    return { kind: "free", reason: "taskset is not installed" };
  }
  const [server, ...others] = parseCpuList(text.slice(text.lastIndexOf(":") + 1));
  if (server === undefined) return { kind: "free", reason: "taskset names no CPU" };
  const siblings = siblingsOf(server);
  const client = others.find((cpu) => !siblings.includes(cpu));
  if (client === undefined) return { kind: "free", reason: "there is only one core" };
  return { kind: "pinned", cpus: { server, client } };
}

/** The numbers of a list such as "0-3,8". */
export function parseCpuList(list: string): number[] {
  return list.split(",").flatMap((range) => {
    const [first, last] = range
      .trim()
      .split("-")
      .map((text) => Number.parseInt(text, 10));
    if (first === undefined || Number.isNaN(first)) return [];
    return Array.from({ length: (last ?? first) - first + 1 }, (_, i) => first + i);
  });
}

function siblingsOf(cpu: number): number[] {
  try {
    const path = `/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`;
    return parseCpuList(readFileSync(path, "utf8"));
  } catch {
    return [cpu];
  }
}
