import { readFileSync } from "node:fs";
import type { Finding } from "./finding.js";

const FEW_DESCRIPTORS = 1_024;

export function checkDescriptors(): Finding {
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
