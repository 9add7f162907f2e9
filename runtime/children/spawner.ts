import type { Link, LinkLimits } from "../../transports/transport.js";

/** How a process is started. */
export interface SpawnRequest {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>> | undefined;
  readonly via: "socket" | "stdio";
  readonly stderr: "events" | "inherit";
  readonly limits: LinkLimits;
  /** A line that the process has written to its standard error, or a piece of one, as `ChildEvents.stderr` says. */
  onStderr(line: string): void;
}

/** A process that was started. */
export interface SpawnedProcess {
  readonly pid: number;
  /** To it; not started. The process may take as long as it likes for its first byte. */
  readonly link: Link;
  /** Resolves when it has ended and its standard error, where it comes here, is read. */
  readonly ended: Promise<ProcessEnd>;
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

/** How a process has ended. */
export interface ProcessEnd {
  /** Its exit code; `null` where a signal ended it. */
  readonly code: number | null;
  /** The signal that ended it, such as "SIGKILL"; `null` where it exited. */
  readonly signal: string | null;
}

/** Starts processes that are connected to this one, and finds what this one was started by. */
export interface Spawner {
  /** Rejects with a `TransportError` where it cannot be started. */
  spawn(request: SpawnRequest): Promise<SpawnedProcess>;
  /** The link to the process that started this one. Throws a `TransportError` where there is none. */
  parent(limits: LinkLimits): Link;
  /** Ends this process. */
  exit(): void;
}
