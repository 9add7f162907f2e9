import type { Link, LinkLimits } from "../../transports/transport.js";
import type { ClientOptions, ServiceClient } from "../api.js";
import { makeClient, within } from "../client.js";
import { abortError, type CallBounds } from "../client-call.js";
import { type Connection, type Settleable, settleable } from "../connection.js";
import type { ServiceDefinition } from "../definition.js";
import { Emitter } from "../emitter.js";
import type { IpcError } from "../error.js";
import type { Host } from "../host.js";
import type { Interceptor } from "../interceptor.js";
import type { Peer } from "../peer.js";
import { fromTransportError } from "../transport-errors.js";
import type { Child, ChildEvents, ChildState, SpawnOptions } from "./child-api.js";
import { childError } from "./child-error.js";
import { ProcessRun } from "./process-run.js";
import { Restarts } from "./restarts.js";
import { CHILD_EVENTS, type SpawnRules, spawnRules } from "./spawn-rules.js";
import type { ProcessEnd, SpawnedProcess, Spawner } from "./spawner.js";

/** What a child needs of its endpoint. */
export interface ChildHome {
  readonly host: Host;
  readonly spawner: Spawner;
  readonly limits: LinkLimits;
  readonly clientInterceptors: readonly Interceptor[];
  /** Begins a session on a link to a process that dials, and may take as long as it likes to introduce itself. */
  adopt(link: Link): Connection;
  /** It has ended, and will not be started again. */
  onDone(child: EndpointChild): void;
}

type Phase =
  /** The system is asked for a process. */
  | { readonly kind: "starting" }
  /** There is one. */
  | { readonly kind: "running"; readonly run: ProcessRun }
  /** There will be another one. */
  | { readonly kind: "waiting"; readonly cancel: () => void }
  /** There will be none. */
  | { readonly kind: "ended"; readonly error: IpcError };

/** The last words of a process that has ended, for the error. */
const LAST_LINES = 5;

/** A process, started again as its options say: one run after the other. */
export class EndpointChild implements Child {
  readonly #rules: SpawnRules;
  readonly #home: ChildHome;
  readonly #restarting: Restarts | undefined;
  readonly #events: Emitter<ChildEvents>;
  /** The calls that wait for a connection. */
  readonly #callers = new Set<Settleable<Connection>>();
  readonly #begun = settleable<void>();
  readonly #done = settleable<void>();
  #phase: Phase = { kind: "starting" };
  #hasBegun = false;
  #restarts = 0;
  /** Why it is to end: it is closed, or its signal has aborted. */
  #closedBy: IpcError | undefined;
  readonly #onAbort = (): void => void this.#stop(this.#aborted(this.#rules.signal!), "cut");

  /** Throws a `TypeError` for an option that cannot be. */
  constructor(command: string, options: SpawnOptions, home: ChildHome) {
    this.#rules = spawnRules(command, options);
    this.#home = home;
    const { restart, on } = this.#rules;
    this.#restarting = restart === undefined ? undefined : new Restarts(restart, home.host);
    this.#events = new Emitter((error) => home.host.warn(error));
    for (const event of CHILD_EVENTS) {
      const listener = on[event];
      if (listener !== undefined) this.#events.on(event, listener);
    }
  }

  get state(): ChildState {
    return this.#phase.kind === "running" ? this.#phase.run.state : this.#phase.kind;
  }

  get peer(): Peer | undefined {
    return this.#usable?.peer;
  }

  get pid(): number | undefined {
    return this.#phase.kind === "running" ? this.#phase.run.pid : undefined;
  }

  get restarts(): number {
    return this.#restarts;
  }

  on<E extends keyof ChildEvents>(event: E, listener: ChildEvents[E]): () => void {
    return this.#events.on(event, listener);
  }

  client<Client, Handlers extends object>(
    service: ServiceDefinition<Client, Handlers>,
    options: ClientOptions = {},
  ): ServiceClient<Client> {
    const { host, clientInterceptors } = this.#home;
    const channel = {
      host,
      target: this.#rules.request.command,
      current: () => this.#usable,
      connect: (bounds: CallBounds) => this.#connect(bounds),
      isOver: () => this.#failure !== undefined,
    };
    return makeClient(service, channel, options, clientInterceptors) as ServiceClient<Client>;
  }

  /** Starts the process, and resolves when it is connected. Rejects with `IpcError`, having left nothing behind. */
  start(): Promise<void> {
    const { signal } = this.#rules;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (signal?.aborted === true) this.#end(this.#aborted(signal));
    else void this.#launch();
    return this.#begun.promise;
  }

  close(): Promise<void> {
    return this.#stop(childError("UNAVAILABLE", `${this.#rules.request.command} is closed`), "close");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #usable(): Connection | undefined {
    return this.#phase.kind === "running" ? this.#phase.run.usable : undefined;
  }

  /** Why there will be no further connection. */
  get #failure(): IpcError | undefined {
    return this.#closedBy ?? (this.#phase.kind === "ended" ? this.#phase.error : undefined);
  }

  /** Ends it for good: "close" lets calls finish, "cut" does not. Resolves when it has ended. */
  #stop(reason: IpcError, how: "close" | "cut"): Promise<void> {
    const phase = this.#phase;
    if (phase.kind === "ended") return this.#done.promise;
    this.#closedBy ??= reason;
    for (const caller of this.#callers) caller.reject(reason);
    if (phase.kind === "running") void phase.run[how](reason);
    if (phase.kind === "waiting") {
      phase.cancel();
      this.#end(reason);
    }
    return this.#done.promise;
  }

  async #connect(bounds: CallBounds): Promise<Connection> {
    if (this.#usable !== undefined) return this.#usable;
    if (this.#failure !== undefined) throw this.#failure;
    const caller = settleable<Connection>();
    this.#callers.add(caller);
    try {
      return await within(this.#home.host, bounds, caller.promise);
    } finally {
      this.#callers.delete(caller);
    }
  }

  async #launch(): Promise<void> {
    const { host, spawner, limits, adopt } = this.#home;
    const { request, connectTimeoutMs, killTimeoutMs } = this.#rules;
    const lines: string[] = [];
    const onStderr = (line: string): void => {
      lines.push(line);
      if (lines.length > LAST_LINES) lines.shift();
      this.#events.emit("stderr", line);
    };
    this.#phase = { kind: "starting" };
    let started: SpawnedProcess;
    try {
      started = await spawner.spawn({ ...request, limits, onStderr });
    } catch (error) {
      this.#onRunOver(startError(error), undefined);
      return;
    }
    const run = new ProcessRun(started, adopt(started.link), {
      host,
      command: request.command,
      connectTimeoutMs,
      killTimeoutMs,
      lastWords: () => lines,
      onIntroduced: (peer) => this.#onIntroduced(peer),
      onEnd: (end, error) => this.#onRunOver(error, { ...end, pid: started.pid }),
    });
    this.#phase = { kind: "running", run };
    if (this.#closedBy !== undefined) run.cut(this.#closedBy);
  }

  #onIntroduced(peer: Peer): void {
    this.#hasBegun = true;
    const usable = this.#usable;
    if (usable !== undefined) for (const caller of this.#callers) caller.resolve(usable);
    this.#events.emit("connected", peer);
    this.#begun.resolve();
  }

  /** A process has ended, or there is none: `end` is `undefined`. */
  #onRunOver(error: IpcError, end: (ProcessEnd & { readonly pid: number }) | undefined): void {
    const isLast = !this.#hasBegun || this.#closedBy !== undefined;
    const restartInMs = isLast ? undefined : this.#restarting?.nextDelayMs();
    if (restartInMs === undefined) {
      this.#end(this.#givenUp(error), end);
      return;
    }
    this.#phase = { kind: "waiting", cancel: this.#restartIn(restartInMs) };
    if (end !== undefined) this.#events.emit("exit", { ...end, restartInMs });
  }

  /** Starts it again after a pause; the function returned prevents that. */
  #restartIn(delayMs: number): () => void {
    const { host } = this.#home;
    const letGo = host.hold();
    const cancelTimer = host.setTimer(() => {
      letGo();
      this.#restarts++;
      void this.#launch();
    }, delayMs);
    return () => {
      cancelTimer();
      letGo();
    };
  }

  #aborted(signal: AbortSignal): IpcError {
    const text = `${this.#rules.request.command} is ended by its signal`;
    return childError(abortError(signal).code, text, signal.reason);
  }

  #givenUp(error: IpcError): IpcError {
    if (this.#restarts === 0) return error;
    const text = `given up after ${this.#restarts} restarts: ${error.rawMessage}`;
    return childError(error.code, text, error.cause);
  }

  /** There will be no further process. */
  #end(error: IpcError, end?: ProcessEnd & { readonly pid: number }): void {
    this.#phase = { kind: "ended", error };
    this.#rules.signal?.removeEventListener("abort", this.#onAbort);
    this.#home.onDone(this);
    for (const caller of this.#callers) caller.reject(error);
    if (end !== undefined) this.#events.emit("exit", { ...end, restartInMs: undefined });
    const isGivenUp = this.#hasBegun && this.#closedBy === undefined && this.#restarting !== undefined;
    if (isGivenUp) this.#events.emit("failed", error);
    this.#begun.reject(error);
    this.#done.resolve();
  }
}

/** A program that is not there is another thing than a peer that is not. */
function startError(error: unknown): IpcError {
  const { code, rawMessage } = fromTransportError(error);
  const isMissing = error instanceof Error && "kind" in error && error.kind === "notFound";
  return childError(isMissing ? "NOT_FOUND" : code, rawMessage, error);
}
