import { readdirSync } from "node:fs";

/** Names of what keeps Node's loop alive without being a descriptor. */
const NO_HANDLES = /^(?:Timeout|Immediate|.*(?:Req|Request|ReqPromise|ReqWrap))$/;

/**
 * How many descriptors this process has. Windows has no list of them: there it is how many pipes, processes and watches
 * libuv holds for it.
 */
export function ownDescriptors(): number {
  if (process.platform !== "win32") return readdirSync("/proc/self/fd").length;
  return process.getActiveResourcesInfo().filter((name) => !NO_HANDLES.test(name)).length;
}
