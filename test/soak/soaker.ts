import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ROOT } from "../adversaries/compile.js";
import type { SoakReport } from "./content.js";

/** A process of the soak, as built. */
export interface Soaker {
  readonly role: "server" | "client";
  readonly pid: number;
  report(what: "report" | "stop"): Promise<SoakReport>;
  kill(): Promise<void>;
}

/** Starts one, and waits until it is ready. */
export async function startSoaker(role: "server" | "client", name: string): Promise<Soaker> {
  const file = join(ROOT, `dist/test/soak/node-${role}.js`);
  const child = spawn(process.execPath, [file, name], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const exited = once(child, "exit");
  const next = async (): Promise<unknown> => {
    const line = await lines.next();
    if (line.done) throw new Error(`${role} ${child.pid} ended by itself`);
    return JSON.parse(line.value);
  };
  await next();
  return {
    role,
    pid: child.pid!,
    async report(what) {
      child.stdin.write(`${JSON.stringify({ do: what })}\n`);
      return (await next()) as SoakReport;
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await exited;
    },
  };
}
