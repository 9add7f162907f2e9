import type { Link, LinkLimits } from "../../transports/transport.js";
import type { BlockingCalls, ClientOptions } from "../api.js";
import { BackOff, type BackOffRules, backOffRules } from "../back-off.js";
import { type Channel, makeClient, within } from "../client.js";
import type { CallBounds } from "../client-call.js";
import { type Connection, type Settleable, settleable } from "../connection.js";
import type { ServiceDefinition } from "../definition.js";
import { Emitter } from "../emitter.js";
import { IpcError } from "../error.js";
import type { Host } from "../host.js";
import type { Interceptor } from "../interceptor.js";
import type { Peer } from "../peer.js";
import { fromTransportError } from "../transport-errors.js";
import type { Child, ChildEvents, RestartPolicy, SpawnOptions } from "./child-api.js";
import type { ProcessEnd, SpawnedProcess, Spawner } from "./spawner.js";

/** What a child needs of its endpoint. */
export interface ChildHome {
  readonly host: Host;
  readonly spawner: Spawner;
  readonly limits: LinkLimits;
  readonly clientInterceptors: readonly Interceptor[];
  /** Begins a session on a link to a process that dials. */
  adopt(link: Link): Connection;
  onDone(child: EndpointChild): void;
}

interface RestartRules {
  readonly backOff: BackOffRules;
  readonly maxRestarts: number;
  readonly windowMs: number;
}

const CONNECT_TIMEOUT_MS = 10_000;
const KILL_TIMEOUT_MS = 2_000;
const MAX_RESTARTS = 10;
const WINDOW_MS = 60_000;
/** The last words of a process that has ended, for the error. */
const LAST_LINES = 5;
/** Restarts without a pause would keep the machine busy with a process that cannot live. */
const RESTART_DELAY_MS = 100;

/** A process, started again as its options say. */
export class EndpointChild implements Child {
  readonly #command: string;
  readonly #options: SpawnOptions;
  readonly #home: ChildHome;
  readonly #rules: RestartRules | undefined;
  readonly #backOff: BackOff | undefined;
  readonly #events: Emitter<ChildEvents>;
  /** The calls that wait for a connection. */
  readonly #callers = new Set<Settleable<Connection>>();
  #process: SpawnedProcess | undefined;
  #connection: Connection | undefined;
  #restartTimes: number[] = [];
  #restarts = 0;
  #cancelRestart: (() => void) | undefined;
  #lines: string[] = [];
  #over: IpcError | undefined;
  #closing: Promise<void> | undefined;

  /** Throws a `TypeError` for an option that cannot be. */
  constructor(command: string, options: SpawnOptions, home: ChildHome) {
    const { connectTimeoutMs = 1, killTimeoutMs = 0, via = "socket" } = options;
    if (typeof command !== "string" || command === "")
      throw new TypeError("spawn takes the name of a program");
    if (!(connectTimeoutMs > 0))
      throw new TypeError(`connectTimeoutMs is ${connectTimeoutMs}; it must be above 0`);
    if (!(killTimeoutMs >= 0))
      throw new TypeError(`killTimeoutMs is ${killTimeoutMs}; it must be a number from 0`);
    if (via !== "socket" && via !== "stdio")
      throw new TypeError(`via is ${JSON.stringify(via)}; it must be "socket" or "stdio"`);
    this.#command = command;
    this.#options = options;
    this.#home = home;
    this.#rules = restartRules(options.restart);
    this.#backOff = this.#rules === undefined ? undefined : new BackOff(this.#rules.backOff, home.host);
    this.#events = new Emitter((error) => home.host.warn(error));
  }

  get peer(): Peer | undefined {
    return this.#usable?.peer;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
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
  ): Client & BlockingCalls<Client> {
    const channel: Channel = {
      host: this.#home.host,
      target: this.#command,
      current: () => this.#usable,
      isOver: () => this.#over !== undefined,
      connect: (bounds) => this.#connect(bounds),
    };
    return makeClient(service, channel, options, this.#home.clientInterceptors) as Client &
      BlockingCalls<Client>;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Starts the process, and resolves when it is connected. Rejects with `IpcError`, having left nothing behind. */
  async start(): Promise<void> {
    const { host, spawner, limits } = this.#home;
    const { args = [], cwd, env, via = "socket", connectTimeoutMs = CONNECT_TIMEOUT_MS } = this.#options;
    this.#lines = [];
    const onStderr = (line: string): void => {
      this.#lines.push(line);
      if (this.#lines.length > LAST_LINES) this.#lines.shift();
      this.#events.emit("stderr", line);
    };
    let started: SpawnedProcess;
    try {
      started = await spawner.spawn({ command: this.#command, args, cwd, env, via, limits, onStderr });
    } catch (error) {
      throw startError(error);
    }
    this.#process = started;
    const connection = this.#home.adopt(started.link);
    let hasConnected = false;
    // Its own descendants may hold the link open when it has ended.
    void started.ended.then((end) => {
      connection.session.close(new IpcError("UNAVAILABLE", "the process has ended"), this.#endError(end));
      if (hasConnected) this.#onEnd(started, end);
    });
    let cancelTimer: (() => void) | undefined;
    const late = new Promise<never>((_, reject) => {
      const text = `${this.#command} has not introduced itself within ${connectTimeoutMs} ms (connectTimeoutMs)`;
      cancelTimer = host.setTimer(() => reject(new IpcError("DEADLINE_EXCEEDED", text)), connectTimeoutMs);
    });
    try {
      await Promise.race([
        connection.ready,
        late,
        started.ended.then((end) => Promise.reject(this.#endError(end))),
      ]);
    } catch (error) {
      const reason = IpcError.from(error);
      connection.session.close(reason);
      started.kill("SIGKILL");
      const end = await started.ended;
      this.#process = undefined;
      throw reason.code === "UNAVAILABLE" ? this.#endError(end) : reason;
    } finally {
      cancelTimer?.();
    }
    hasConnected = true;
    this.#connection = connection;
    for (const caller of this.#callers) caller.resolve(connection);
    this.#events.emit("connected", connection.peer!);
  }

  async #connect(bounds: CallBounds): Promise<Connection> {
    if (this.#usable !== undefined) return this.#usable;
    if (this.#over !== undefined) throw this.#over;
    const caller = settleable<Connection>();
    this.#callers.add(caller);
    try {
      return await within(this.#home.host, bounds, caller.promise);
    } finally {
      this.#callers.delete(caller);
    }
  }

  #failCallers(error: IpcError): void {
    for (const caller of this.#callers) caller.reject(error);
  }

  get #usable(): Connection | undefined {
    return this.#connection?.isUsable === true ? this.#connection : undefined;
  }

  #onEnd(started: SpawnedProcess, end: ProcessEnd): void {
    if (this.#process !== started) return;
    this.#process = undefined;
    this.#connection = undefined;
    const restartInMs = this.#closing === undefined ? this.#nextRestartMs() : undefined;
    this.#events.emit("exit", { ...end, pid: started.pid, restartInMs });
    if (restartInMs !== undefined) this.#restartLater(restartInMs);
    else if (this.#closing === undefined) this.#fail(this.#endError(end));
  }

  /** `undefined` where it is not started again. */
  #nextRestartMs(): number | undefined {
    if (this.#rules === undefined || this.#backOff === undefined) return undefined;
    const nowMs = this.#home.host.now();
    const { maxRestarts, windowMs } = this.#rules;
    this.#restartTimes = this.#restartTimes.filter((timeMs) => timeMs > nowMs - windowMs);
    if (this.#restartTimes.length >= maxRestarts) return undefined;
    if (this.#restartTimes.length === 0) this.#backOff.reset();
    this.#restartTimes.push(nowMs);
    return Math.ceil(this.#backOff.nextDelayMs());
  }

  #restartLater(delayMs: number): void {
    const letGo = this.#home.host.hold();
    const cancelTimer = this.#home.host.setTimer(() => {
      letGo();
      this.#cancelRestart = undefined;
      this.#restarts++;
      this.start().catch((error: unknown) => {
        if (this.#closing !== undefined) return;
        const again = this.#nextRestartMs();
        if (again === undefined) this.#fail(IpcError.from(error));
        else this.#restartLater(again);
      });
    }, delayMs);
    this.#cancelRestart = () => {
      cancelTimer();
      letGo();
    };
  }

  #fail(error: IpcError): void {
    const often = this.#restarts === 0 ? "" : `given up after ${this.#restarts} restarts: `;
    this.#over = new IpcError(error.code, `${often}${error.rawMessage}`, { cause: error.cause });
    this.#home.onDone(this);
    this.#failCallers(this.#over);
    if (this.#rules !== undefined) this.#events.emit("failed", this.#over);
  }

  #endError({ code, signal }: ProcessEnd): IpcError {
    const how = signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
    const words = this.#lines.length === 0 ? "" : `; its last words: ${this.#lines.join(" | ")}`;
    return new IpcError("UNAVAILABLE", `${this.#command} ${how}${words}`);
  }

  async #close(): Promise<void> {
    const { host } = this.#home;
    const { killTimeoutMs = KILL_TIMEOUT_MS } = this.#options;
    this.#over ??= new IpcError("UNAVAILABLE", `${this.#command} is closed`);
    this.#cancelRestart?.();
    this.#failCallers(this.#over);
    const running = this.#process;
    if (running !== undefined) {
      let hasEnded = false;
      const ended = running.ended.then(() => {
        hasEnded = true;
      });
      const within = async (timeoutMs: number): Promise<void> => {
        let cancel: (() => void) | undefined;
        const timeout = new Promise<void>((resolve) => {
          cancel = host.setTimer(resolve, timeoutMs);
        });
        await Promise.race([ended, timeout]);
        cancel?.();
      };
      const session = this.#connection?.session;
      session?.drain();
      await Promise.race([this.#connection?.drained, within(killTimeoutMs)]);
      session?.close(
        new IpcError("UNAVAILABLE", "the process that started this one has closed the link"),
        this.#over,
      );
      await within(killTimeoutMs);
      if (!hasEnded) running.kill("SIGTERM");
      if (!hasEnded) await within(killTimeoutMs);
      if (!hasEnded) running.kill("SIGKILL");
      await ended;
    }
    this.#home.onDone(this);
  }
}

/** A program that is not there is another thing than a peer that is not. */
function startError(error: unknown): IpcError {
  const { code, rawMessage } = fromTransportError(error);
  const isMissing = error instanceof Error && "kind" in error && error.kind === "notFound";
  return new IpcError(isMissing ? "NOT_FOUND" : code, rawMessage, { cause: error });
}

function restartRules(given: boolean | RestartPolicy | undefined): RestartRules | undefined {
  if (given === undefined || given === false) return undefined;
  const { maxRestarts = MAX_RESTARTS, windowMs = WINDOW_MS, ...policy } = given === true ? {} : given;
  if (!(maxRestarts >= 0))
    throw new TypeError(`restart.maxRestarts is ${maxRestarts}; it must be a number from 0`);
  if (!(windowMs > 0)) throw new TypeError(`restart.windowMs is ${windowMs}; it must be a number above 0`);
  const backOff = backOffRules(
    { initialDelayMs: RESTART_DELAY_MS, maxDelayMs: 10_000, jitter: 0.5, ...policy },
    "restart",
  )!;
  return { backOff, maxRestarts, windowMs };
}
