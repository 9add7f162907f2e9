import type { Connection } from "../connection.js";
import { IpcError } from "../error.js";
import type { Host } from "../host.js";
import type { Peer } from "../peer.js";
import { childError } from "./child-error.js";
import type { ProcessEnd, SpawnedProcess } from "./spawner.js";

/** Whom a run belongs to, and how long it may take. */
export interface RunConfig {
  readonly host: Host;
  /** For messages. */
  readonly command: string;
  readonly connectTimeoutMs: number;
  readonly killTimeoutMs: number;
  /** What it has written to its standard error of late, for the error of its end. */
  lastWords(): readonly string[];
  /** It has introduced itself. Called at most once, and not when its end has begun. */
  onIntroduced(peer: Peer): void;
  /** Its process has ended. Called once, last; `error`: why, in the words of calls. */
  onEnd(end: ProcessEnd, error: IpcError): void;
}

/**
 * One process, from its start to its end. It introduces itself or is given up; its link ends, and then so does it, by itself
 * or by force: a process without its link is of no use to anybody.
 */
export class ProcessRun {
  readonly #process: SpawnedProcess;
  readonly #connection: Connection;
  readonly #config: RunConfig;
  readonly #ended: Promise<void>;
  #hasEnded = false;
  #isIntroduced = false;
  /** It is to end, and will be made to. */
  #isGoing = false;
  #isKilled = false;
  /** Why it was given up here. */
  #reason: IpcError | undefined;
  #linkEnd: IpcError | undefined;
  readonly #cancelTimer: () => void;

  constructor(process: SpawnedProcess, connection: Connection, config: RunConfig) {
    this.#process = process;
    this.#connection = connection;
    this.#config = config;
    const { host, command, connectTimeoutMs } = config;
    const late = `${command} has not introduced itself within ${connectTimeoutMs} ms (connectTimeoutMs)`;
    this.#cancelTimer = host.setTimer(
      () => this.cut(childError("DEADLINE_EXCEEDED", late)),
      connectTimeoutMs,
    );
    connection.ready.then(
      (peer) => this.#onIntroduced(peer),
      // `closed` tells why.
      () => undefined,
    );
    void connection.closed.then((reason) => this.#onLinkEnd(reason));
    this.#ended = process.ended.then((end) => this.#onEnd(end));
  }

  get pid(): number {
    return this.#process.pid;
  }

  get state(): "starting" | "connected" | "ending" {
    if (this.usable !== undefined) return "connected";
    return this.#isIntroduced || this.#isGoing ? "ending" : "starting";
  }

  /** Its connection, while calls can be opened on it. */
  get usable(): Connection | undefined {
    return this.#isIntroduced && this.#connection.isUsable ? this.#connection : undefined;
  }

  /** Lets calls finish for `killTimeoutMs` at most, then ends it as `cut` does. */
  async close(reason: IpcError): Promise<void> {
    const { session, drained } = this.#connection;
    if (this.#isIntroduced) {
      session.drain();
      await this.#within(drained);
    }
    this.cut(reason);
  }

  /** Ends its link, and so its process. `reason` is what its calls fail with. */
  cut(reason: IpcError): void {
    if (this.#hasEnded) return;
    this.#reason ??= reason;
    const theirs = new IpcError("UNAVAILABLE", "the process that started this one has closed the link");
    this.#connection.session.close(theirs, reason);
    void this.#putDown(this.#isIntroduced);
  }

  #onIntroduced(peer: Peer): void {
    if (this.#isGoing || this.#hasEnded) return;
    this.#isIntroduced = true;
    this.#cancelTimer();
    this.#config.onIntroduced(peer);
  }

  #onLinkEnd(reason: IpcError): void {
    this.#linkEnd = reason;
    const isTheirs = reason.code === "UNAVAILABLE";
    // What is no such process at all will not end because of that.
    if (!this.#isIntroduced && !isTheirs) this.#reason ??= reason;
    void this.#putDown(this.#isIntroduced || isTheirs);
  }

  /** Makes it end, if it does not by itself: that it is to do so it knows from its link, once it has introduced itself. */
  async #putDown(knowsBetter: boolean): Promise<void> {
    if (this.#isGoing || this.#hasEnded) return;
    this.#isGoing = true;
    this.#cancelTimer();
    if (knowsBetter) await this.#within(this.#ended);
    this.#kill("SIGTERM");
    await this.#within(this.#ended);
    this.#kill("SIGKILL");
  }

  #kill(signal: "SIGTERM" | "SIGKILL"): void {
    if (this.#hasEnded) return;
    this.#isKilled = true;
    this.#process.kill(signal);
  }

  #onEnd(end: ProcessEnd): void {
    this.#hasEnded = true;
    this.#cancelTimer();
    const error = this.#errorOf(end);
    // Its own descendants may hold the link open.
    this.#connection.session.close(new IpcError("UNAVAILABLE", "the process has ended"), error);
    this.#config.onEnd(end, error);
  }

  #errorOf({ code, signal }: ProcessEnd): IpcError {
    const { command, lastWords } = this.#config;
    const lines = lastWords();
    const words = lines.length === 0 ? "" : `; its last words: ${lines.join(" | ")}`;
    if (this.#reason !== undefined) {
      const { code: status, rawMessage, cause } = this.#reason;
      return childError(status, rawMessage + words, cause);
    }
    const how = signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
    const why = this.#isKilled ? `, as its link had ended: ${this.#linkEnd?.rawMessage}` : "";
    return childError("UNAVAILABLE", `${command} ${how}${why}${words}`);
  }

  /** Waits for it, but not for longer than `killTimeoutMs`. */
  async #within(done: Promise<unknown>): Promise<void> {
    const { host, killTimeoutMs } = this.#config;
    let cancel: (() => void) | undefined;
    const timeout = new Promise<void>((resolve) => {
      cancel = host.setTimer(resolve, killTimeoutMs);
    });
    await Promise.race([done, timeout]);
    cancel?.();
  }
}
