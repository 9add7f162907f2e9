import type { Link, LinkLimits } from "../../transports/transport.js";
import type { BlockingCalls, ClientOptions } from "../api.js";
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
import type { Child, ChildEvents, SpawnOptions } from "./child-api.js";
import { Restarts } from "./restarts.js";
import { type SpawnRules, spawnRules } from "./spawn-rules.js";
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

/** The last words of a process that has ended, for the error. */
const LAST_LINES = 5;

/** A process, started again as its options say. */
export class EndpointChild implements Child {
  readonly #rules: SpawnRules;
  readonly #home: ChildHome;
  readonly #restarting: Restarts | undefined;
  readonly #events: Emitter<ChildEvents>;
  /** The calls that wait for a connection. */
  readonly #callers = new Set<Settleable<Connection>>();
  #process: SpawnedProcess | undefined;
  #connection: Connection | undefined;
  #restarts = 0;
  #cancelRestart: (() => void) | undefined;
  #lines: string[] = [];
  #over: IpcError | undefined;
  #closing: Promise<void> | undefined;

  /** Throws a `TypeError` for an option that cannot be. */
  constructor(command: string, options: SpawnOptions, home: ChildHome) {
    this.#rules = spawnRules(command, options);
    this.#home = home;
    const { restart } = this.#rules;
    this.#restarting = restart === undefined ? undefined : new Restarts(restart, home.host);
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
      target: this.#rules.request.command,
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
    const { request, connectTimeoutMs } = this.#rules;
    this.#lines = [];
    const onStderr = (line: string): void => {
      this.#lines.push(line);
      if (this.#lines.length > LAST_LINES) this.#lines.shift();
      this.#events.emit("stderr", line);
    };
    let started: SpawnedProcess;
    try {
      started = await spawner.spawn({ ...request, limits, onStderr });
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
      const text = `${this.#rules.request.command} has not introduced itself within ${connectTimeoutMs} ms (connectTimeoutMs)`;
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
    const restartInMs = this.#closing === undefined ? this.#restarting?.nextDelayMs() : undefined;
    this.#events.emit("exit", { ...end, pid: started.pid, restartInMs });
    if (restartInMs !== undefined) this.#restartLater(restartInMs);
    else if (this.#closing === undefined) this.#fail(this.#endError(end));
  }

  #restartLater(delayMs: number): void {
    const letGo = this.#home.host.hold();
    const cancelTimer = this.#home.host.setTimer(() => {
      letGo();
      this.#cancelRestart = undefined;
      this.#restarts++;
      this.start().catch((error: unknown) => {
        if (this.#closing !== undefined) return;
        const again = this.#restarting?.nextDelayMs();
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
    if (this.#restarting !== undefined) this.#events.emit("failed", this.#over);
  }

  #endError({ code, signal }: ProcessEnd): IpcError {
    const how = signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
    const words = this.#lines.length === 0 ? "" : `; its last words: ${this.#lines.join(" | ")}`;
    return new IpcError("UNAVAILABLE", `${this.#rules.request.command} ${how}${words}`);
  }

  async #close(): Promise<void> {
    const { host } = this.#home;
    const { killTimeoutMs } = this.#rules;
    this.#over ??= new IpcError("UNAVAILABLE", `${this.#rules.request.command} is closed`);
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
