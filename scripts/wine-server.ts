import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** After so many seconds without a program it ends by itself, also where nobody is left to stop it. */
const IDLE_S = 60;

/**
 * Wine's server, which does for all its programs what Windows' kernel would. Started here, so that its end is seen: Wine 8's
 * was seen to be gone in the middle of a test, and then its programs wait for answers for ever.
 */
export class WineServer {
  readonly #path: string;
  readonly #env: NodeJS.ProcessEnv;
  #process: ChildProcess;

  /** `wine`: the path of Wine; `env` names the folder that the server is for. */
  constructor(wine: string, env: NodeJS.ProcessEnv) {
    this.#path = join(dirname(wine), wine.endsWith("64") ? "wineserver64" : "wineserver");
    this.#env = env;
    // One that an earlier run has left is not ours to watch.
    this.stop();
    this.#process = this.#start();
  }

  /** Calls `onEnd` with how it has ended, if it does, until the function returned is called. */
  watch(onEnd: (how: string) => void): () => void {
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) this.#process = this.#start();
    const server = this.#process;
    const onExit = (code: number | null, signal: string | null): void => {
      this.#killLost();
      onEnd(`Wine's server ended with ${code ?? signal}`);
    };
    server.once("exit", onExit);
    return () => server.off("exit", onExit);
  }

  /** Ends it, and all programs that it has. */
  stop(): void {
    try {
      execFileSync(this.#path, ["-k"], { env: this.#env, stdio: "ignore" });
    } catch {
      // There is none.
    }
  }

  #start(): ChildProcess {
    const options = { env: this.#env, detached: true, stdio: "ignore" } as const;
    const server = spawn(this.#path, ["-f", `-p${IDLE_S}`], options).on("error", () => {});
    server.unref();
    return server;
  }

  /** Ends the programs that it has left. */
  #killLost(): void {
    const ours = `WINEPREFIX=${this.#env["WINEPREFIX"]}`;
    for (const name of readdirSync("/proc")) {
      const pid = Number(name);
      if (Number.isInteger(pid) && pid !== process.pid && environmentOf(pid).includes(ours)) kill(pid);
    }
  }
}

/** Nothing where the process is gone, or another user's. */
function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
  } catch {
    return [];
  }
}

/** Ends a process, or, given a negative number, a group of them. */
export function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}
