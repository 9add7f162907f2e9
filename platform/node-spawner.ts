import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import type { Duplex, Readable, Writable } from "node:stream";
import type { SpawnedProcess, Spawner } from "../runtime/children/spawner.js";
import {
  inheritedLink,
  PARENT_FD,
  PARENT_VARIABLE,
  takeParentStreams,
  VIA_STDIO,
} from "../transports/inherited/index.js";
import type { PeerCredentials, TransportError } from "../transports/transport.js";
import { transportErrorOf } from "../transports/errno.js";
import type { CredentialsOf } from "../transports/unix/index.js";
import { Socket } from "node:net";
import { Lines } from "./lines.js";

export interface NodeSpawnerOptions {
  readonly closingRecord: (message: string) => Uint8Array;
  /** Asks the kernel who is at the other end of a socket. */
  readonly credentialsOf?: CredentialsOf | undefined;
}

const SCRIPT = /\.[cm]?js$/;

/** Child processes as Node starts them. A script is run by this Node. */
export function nodeSpawner({ closingRecord, credentialsOf }: NodeSpawnerOptions): Spawner {
  return {
    async spawn({ command, args, cwd, env, via, stderr, limits, onStderr }): Promise<SpawnedProcess> {
      const [file, words] = SCRIPT.test(command)
        ? [process.execPath, [command, ...args]]
        : [command, [...args]];
      const errors = stderr === "events" ? "pipe" : "inherit";
      let child: ChildProcess | undefined;
      try {
        child = spawn(file, words, {
          cwd,
          env: {
            ...process.env,
            ...env,
            [PARENT_VARIABLE]: via === "socket" ? `fd:${PARENT_FD}` : VIA_STDIO,
          },
          stdio: via === "socket" ? ["ignore", "inherit", errors, "pipe"] : ["pipe", "pipe", errors],
        });
        if (child.pid === undefined) await once(child, "spawn");
      } catch (error) {
        for (const stream of child?.stdio ?? []) stream?.destroy();
        throw await startError(error, command, cwd);
      }
      // A failed kill or the like ends no process.
      child.on("error", () => {});
      if (child.stderr !== null) readLines(child.stderr, onStderr);
      const { incoming, outgoing } = streamsOf(child, via);
      const location = `process ${child.pid}`;
      const peer = {
        pid: child.pid,
        uid: process.geteuid?.(),
        gid: undefined,
        verifiedBy: "process" as const,
      };
      return {
        pid: child.pid!,
        link: inheritedLink({
          incoming,
          outgoing,
          location,
          peer,
          limits,
          // A program takes as long to start as it takes: its run has a limit.
          preambleTimeoutMs: Number.POSITIVE_INFINITY,
          closingRecord,
        }),
        ended: endOf(child),
        kill: (signal) => void child.kill(signal),
      };
    },

    parent(limits) {
      const { incoming, outgoing } = takeParentStreams(process.env);
      const told = incoming instanceof Socket ? credentialsOf?.(incoming) : undefined;
      const own: PeerCredentials = {
        pid: process.ppid,
        uid: process.geteuid?.(),
        gid: undefined,
        verifiedBy: "process",
      };
      // What is printed would be taken for records.
      if (!Object.is(outgoing, incoming)) {
        const printing: (keyof Console & ("log" | "info" | "debug" | "dir" | "table"))[] = [
          "log",
          "info",
          "debug",
          "dir",
          "table",
        ];
        for (const name of printing) console[name] = (...words: unknown[]) => console.error(...words);
      }
      const location = "the process that started this one";
      return inheritedLink({ incoming, outgoing, location, peer: told ?? own, limits, closingRecord });
    },

    exit: () => process.exit(),
  };
}

function streamsOf(child: ChildProcess, via: "socket" | "stdio"): { incoming: Readable; outgoing: Writable } {
  if (via === "stdio") return { incoming: child.stdout!, outgoing: child.stdin! };
  const socket = child.stdio[PARENT_FD] as Duplex;
  return { incoming: socket, outgoing: socket };
}

/** Resolves when the process has ended and closed its standard error, or a moment after that if others hold it. */
async function endOf(child: ChildProcess): Promise<{ code: number | null; signal: string | null }> {
  const { stderr } = child;
  const isRead = new Promise<void>((resolve) => {
    stderr?.once("close", resolve);
    stderr?.once("end", resolve);
  });
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  if (stderr === null) return { code: child.exitCode, signal: child.signalCode };
  const moment = new Promise<void>((resolve) => setTimeout(resolve, 200).unref());
  await Promise.race([isRead, moment]);
  return { code: child.exitCode, signal: child.signalCode };
}

function readLines(stream: Readable, onLine: (line: string) => void): void {
  const lines = new Lines(onLine);
  stream.on("data", (chunk: Buffer) => lines.push(chunk));
  stream.on("end", () => lines.end());
  stream.on("error", () => {});
}

/** The system has one error for a program that is missing or forbidden and for a working directory that is. */
async function startError(error: unknown, command: string, cwd: string | undefined): Promise<TransportError> {
  const what = `cannot start ${command}`;
  try {
    if (cwd !== undefined) {
      // With the dot it has to be a directory, except on Windows, which takes the dot away.
      await access(`${cwd}/.`, constants.X_OK);
      if (!(await stat(cwd)).isDirectory()) {
        throw Object.assign(new Error(`${cwd} is no directory`), { code: "ENOTDIR" });
      }
    }
  } catch (cause) {
    return transportErrorOf(cause, `${what} in ${cwd} (cwd)`);
  }
  return transportErrorOf(error, what);
}
