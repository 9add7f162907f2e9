import { checkContainer } from "./checks/container.js";
import { checkDirectory, checkOtherRoots } from "./checks/directory.js";
import { checkEndpoints, checkNetworkNamespace } from "./checks/endpoints.js";
import type { Check, DoctorOptions, Finding } from "./checks/finding.js";
import { checkLimits } from "./checks/limits.js";
import { checkSharedMemory } from "./checks/memory.js";
import { checkAddon } from "./checks/native.js";
import { checkNode } from "./checks/node.js";
import { checkSystemCalls } from "./checks/system-calls.js";
import { checkSelf } from "./checks/self.js";
import { coloured, plain, plainLine, printJson, printLine } from "./output.js";

const CHECKS: Readonly<Record<string, Check>> = {
  node: checkNode,
  directory: checkDirectory,
  "other directories": checkOtherRoots,
  "network namespace": checkNetworkNamespace,
  endpoints: checkEndpoints,
  "native part": checkAddon,
  "shared memory": checkSharedMemory,
  limits: checkLimits,
  "system calls": checkSystemCalls,
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
  if (isFailed) process.exitCode = 1;
}

function print({ check, state, finding, advice }: Finding): void {
  const mark = {
    ok: coloured("ok     ", "green"),
    warning: coloured("warning", "yellow"),
    failure: coloured("failure", "red"),
  };
  printLine(`${mark[state]}  ${plainLine(check)}: ${plain(finding)}`);
  if (advice !== undefined) printLine(`         → ${plain(advice)}`);
}
