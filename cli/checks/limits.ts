import { readFileSync } from "node:fs";
import type { Finding } from "./finding.js";
import { MIB } from "./memory.js";

const FEW_DESCRIPTORS = 1_024;
/** The largest segment of a link unless its limits are raised, and room for large payloads. */
const LITTLE_FILE_BYTES = 64 * MIB;

/** What ulimit allows this process. */
export function checkLimits(): Finding[] {
  let limits: string;
  try {
    limits = readFileSync("/proc/self/limits", "utf8");
  } catch {
    return [{ check: "descriptors", state: "ok", finding: "not known here" }];
  }
  return [aboutDescriptors(limits), ...aboutFileSize(limits), aboutLockedMemory(limits)];
}

function aboutDescriptors(limits: string): Finding {
  const { soft, hard } = limitOf(limits, "Max open files");
  const check = "descriptors";
  const finding = `${soft} open files at most, ${hard} if raised`;
  if (!(Number(soft) < FEW_DESCRIPTORS)) return { check, state: "ok", finding };
  return { check, state: "warning", finding, advice: "each link takes one to six: raise it with ulimit -n" };
}

/** Segments are files, if of no file system. */
function aboutFileSize(limits: string): Finding[] {
  const { soft } = limitOf(limits, "Max file size");
  if (!(Number(soft) < LITTLE_FILE_BYTES)) return [];
  const finding = `files have ${soft} bytes at most, and segments of shared memory are such`;
  return [{ check: "file size", state: "warning", finding, advice: "raise it with ulimit -f" }];
}

function aboutLockedMemory(limits: string): Finding {
  const { soft } = limitOf(limits, "Max locked memory");
  const finding = `${soft} bytes at most (memlock); none is locked, so any limit will do`;
  return { check: "locked memory", state: "ok", finding };
}

/** In the words of the kernel: a number, or "unlimited". */
function limitOf(limits: string, name: string): { readonly soft: string; readonly hard: string } {
  const [, soft = "?", hard = "?"] = new RegExp(`^${name}\\s+(\\S+)\\s+(\\S+)`, "m").exec(limits) ?? [];
  return { soft, hard };
}
