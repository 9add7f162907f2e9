import type { ClientOptions, ServiceClient } from "../api.js";
import type { BackOffPolicy } from "../back-off.js";
import type { ServiceDefinition } from "../definition.js";
import type { IpcError } from "../error.js";
import type { Peer } from "../peer.js";
import type { ProcessEnd } from "./spawner.js";

/** How a process is started, and what becomes of it. No text may have a NUL byte: programs get C strings. */
export interface SpawnOptions {
  /** What the program is given. */
  readonly args?: readonly string[] | undefined;
  /** Its working directory; this one's unless said. */
  readonly cwd?: string | undefined;
  /** Environment variables beside those of this process; `undefined` leaves one out. A name has no "=". */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /**
   * What carries the link: a socket that the process inherits as descriptor 3 ("socket", unless said), or its standard
   * input and output ("stdio"), which it can then not use otherwise.
   */
  readonly via?: "socket" | "stdio" | undefined;
  /**
   * Where its standard error goes: line by line to the event `stderr`, and to the errors that tell of its end ("events", unless
   * said); or where that of this process goes ("inherit"), which then tells nothing of it.
   */
  readonly stderr?: "events" | "inherit" | undefined;
  /**
   * Starts it again when it has ended, once it has introduced itself for the first time; true for the usual pauses and
   * limits. One that could never be connected rejects `spawn` instead.
   */
  readonly restart?: boolean | RestartPolicy | undefined;
  /**
   * Listeners that are there before the process is. What it writes while it starts, its end where it is never connected, and
   * that it is connected for the first time are told before `spawn` resolves: to these listeners, and to no others.
   */
  readonly on?: { readonly [E in keyof ChildEvents]?: ChildEvents[E] | undefined } | undefined;
  /**
   * How long it may take until it has introduced itself, in milliseconds above 0. 10,000 unless said. The endpoint's
   * `handshakeTimeoutMs` and `frameTimeoutMs` do not count here: a program takes as long to start as it takes.
   */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * How long a process may take to end when its link has, before SIGTERM and again before SIGKILL, in milliseconds from 0;
   * how long `close` waits for its calls before that. One that is given up before it has introduced itself gets SIGTERM at
   * once. 2,000 unless said.
   */
  readonly killTimeoutMs?: number | undefined;
  /**
   * Ends it for good when it aborts, as `close` does, but without waiting for calls: they fail with CANCELLED, or with
   * DEADLINE_EXCEEDED where the signal has timed out; and so does `spawn`, when the process has ended.
   */
  readonly signal?: AbortSignal | undefined;
}

/**
 * When a process that has ended is started again. Unless said, its first pause is of at most 100 ms, its longest of 10,000, and
 * half of each is left to chance.
 */
export interface RestartPolicy extends BackOffPolicy {
  /** How often within `windowMs` before it is given up. 10 unless said. */
  readonly maxRestarts?: number | undefined;
  /** In milliseconds. 60,000 unless said. A process that has run for so long begins with the first pause again. */
  readonly windowMs?: number | undefined;
}

/** What a child tells, to `SpawnOptions.on` from its first moment. What a listener throws becomes a process warning. */
export interface ChildEvents {
  /** It is connected: the first time, and after each restart. */
  connected: (peer: Peer) => void;
  /**
   * Its process has ended, by itself or because it was made to when its link had. Told once of each process that was
   * started, whether it had introduced itself or not. `restartInMs`: when it is started again; `undefined`: it is not.
   */
  exit: (end: ProcessEnd & { readonly pid: number; readonly restartInMs: number | undefined }) => void;
  /**
   * A line of its standard error, unless that is inherited, without its end ("\n" or "\r\n"). A line of more than 8,192
   * bytes comes in pieces of at most so many, each of which but the last ends with " […]".
   */
  stderr: (line: string) => void;
  /**
   * One that was to be started again is given up: it could not be started, or has ended too often. Its calls fail from now on.
   */
  failed: (error: IpcError) => void;
}

/**
 * Where a child is in its life:
 * - "starting": its process has not introduced itself yet;
 * - "connected": it takes calls;
 * - "ending": its link closes or has closed, and its process is to end;
 * - "waiting": its process has ended, and is started again after a pause;
 * - "ended": there is no process, and there will be none.
 */
export type ChildState = "starting" | "connected" | "ending" | "waiting" | "ended";

/** A process that was started by an endpoint and is connected to it. */
export interface Child extends AsyncDisposable {
  readonly state: ChildState;
  /** Its endpoint; after a restart another one. `undefined` while it is not connected. */
  readonly peer: Peer | undefined;
  /** Its process; `undefined` while there is none. */
  readonly pid: number | undefined;
  /** How often it was started again. */
  readonly restarts: number;
  /**
   * A client of a service that the process serves. A call while it is not connected waits for it, as long as it may be
   * started again; else it fails with UNAVAILABLE. Calls that are under way when the process or its link ends fail with
   * UNAVAILABLE.
   */
  client<Client, Handlers extends object>(
    service: ServiceDefinition<Client, Handlers>,
    options?: ClientOptions,
  ): ServiceClient<Client>;
  /** Listens to an event from now on; the function returned stops that. What was told before is in `SpawnOptions.on`. */
  on<E extends keyof ChildEvents>(event: E, listener: ChildEvents[E]): () => void;
  /**
   * Ends it: its calls finish, the link closes, which tells the process to end; then SIGTERM, then SIGKILL, each after
   * `killTimeoutMs`. Resolves when it has ended, and `exit` is told. Idempotent.
   */
  close(): Promise<void>;
}
