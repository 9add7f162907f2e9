import type { Link } from "../transports/transport.js";
import type { IpcError } from "./error.js";
import type { Host } from "./host.js";
import type { Limits } from "./limits.js";
import type { Peer } from "./peer.js";
import { Session } from "./session/session.js";
import type { SessionHandler } from "./session/session-user.js";
import { withMaybeExecuted } from "./session/status.js";
import type { Stream } from "./session/stream.js";
import type { StreamReceiver } from "./session/stream-receiver.js";
import { StartQueue } from "./start-queue.js";
import type { WireHello } from "./wire/hello.js";
import type { WireMetadata } from "./wire/metadata.js";

/** Who uses a connection: the endpoint. */
export interface ConnectionOwner {
  readonly host: Host;
  readonly limits: Limits;
  readonly name: string;
  readonly incarnation: Uint8Array;
  /** The peer calls. As `SessionHandler.onOpen`. */
  accept(
    connection: Connection,
    stream: Stream,
    method: string,
    metadata: readonly WireMetadata[],
  ): StreamReceiver | undefined;
  onPeer(connection: Connection): void;
  /** No call can be opened on it any more. */
  onUnusable(connection: Connection): void;
  onClosed(connection: Connection, reason: IpcError): void;
}

/** One link with its session, and what the host does for it: time, and the end of turns. */
export class Connection implements SessionHandler {
  readonly owner: ConnectionOwner;
  readonly session: Session;
  /** The handlers of the peer's calls that are to be started. */
  readonly handlers: StartQueue;
  /** Resolves when the peer has introduced itself. */
  readonly ready: Promise<Peer>;
  /** Resolves when nothing is in flight after `drain`, or the connection is closed. */
  readonly drained: Promise<void>;
  readonly closed: Promise<IpcError>;
  peer: Peer | undefined;
  readonly #linkReason: string;
  #isFlushDue = false;
  /** Nothing leaves yet. */
  #isHeld = false;
  #cancelTimer: (() => void) | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  readonly #onReady: (peer: Peer) => void;
  readonly #onNotReady: (reason: IpcError) => void;
  readonly #onDrained: () => void;
  readonly #onClosed: (reason: IpcError) => void;
  readonly #flush = (): void => {
    if (this.#isHeld) return;
    this.#isFlushDue = false;
    this.handlers.endTurn();
    this.session.flush();
  };

  /** `linkReason`: why the link is of its transport. `handshakeTimeoutMs`: where it is not the owner's; from 1 to `Infinity`. */
  constructor(
    owner: ConnectionOwner,
    link: Link,
    side: "dialler" | "acceptor",
    linkReason: string,
    handshakeTimeoutMs: number = owner.limits.handshakeTimeoutMs,
  ) {
    const { host, name, incarnation } = owner;
    const limits = { ...owner.limits, handshakeTimeoutMs };
    this.owner = owner;
    this.#linkReason = linkReason;
    const ready = settleable<Peer>();
    const drained = settleable<void>();
    const closed = settleable<IpcError>();
    this.ready = ready.promise;
    this.drained = drained.promise;
    this.closed = closed.promise;
    this.#onReady = ready.resolve;
    this.#onNotReady = ready.reject;
    this.#onDrained = () => drained.resolve();
    this.#onClosed = closed.resolve;
    // Whoever awaits `ready` gets the rejection; that nobody does is no fault.
    this.ready.catch(() => undefined);
    const { clock, implementation, pid } = host;
    const config = { side, limits, name, implementation, incarnation, pid, clock, now: () => host.now() };
    this.session = new Session(link, config, this);
    const pendingBytes = (): number => this.session.pendingResponseBytes;
    const atEndOfTurn = (run: () => void): void => host.atEndOfTurn(run);
    this.handlers = new StartQueue({ pendingBytes, atEndOfTurn }, limits.maxPendingResponseBytes);
  }

  start(): void {
    this.session.start();
  }

  /** Sends nothing, not even who we are, until `release`: so the peer calls nothing before that. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    this.#flush();
  }

  /** Whether calls can be opened. */
  get isUsable(): boolean {
    const { session } = this;
    return session.isOpen && !session.isPeerDraining && !session.isDraining;
  }

  onReady(hello: WireHello): void {
    const { info, peer: credentials } = this.session.link;
    this.peer = {
      name: hello.name,
      implementation: hello.implementation,
      incarnation: Array.from(hello.incarnation, (byte) => byte.toString(16).padStart(2, "0")).join(""),
      pid: credentials.pid ?? hello.pid,
      credentials,
      link: {
        ...info,
        reason: info.reason === "" ? this.#linkReason : `${this.#linkReason}; ${info.reason}`,
      },
    };
    this.#onReady(this.peer);
    this.owner.onPeer(this);
  }

  onOpen(stream: Stream, method: string, metadata: readonly WireMetadata[]): StreamReceiver | undefined {
    return this.owner.accept(this, stream, method, metadata);
  }

  onPeerDraining(): void {
    this.owner.onUnusable(this);
    if (this.session.streams.size === 0) this.session.drain();
  }

  onUncongested(): void {
    // Handlers run when the thread is free: it may be blocked on a call now.
    if (this.session.held === undefined) this.handlers.resume();
    else this.owner.host.atEndOfTurn(() => this.handlers.resume());
  }

  onDrained(): void {
    this.#onDrained();
  }

  onClosed(reason: IpcError): void {
    this.#cancelTimer?.();
    // Their streams are cancelled; each sees that and does not start.
    this.handlers.release();
    // Where that tells of anything, no call was sent over the link yet.
    this.#onNotReady(withMaybeExecuted(reason, false));
    this.#onDrained();
    this.#onClosed(reason);
    this.owner.onClosed(this, reason);
  }

  onDirty(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.owner.host.atEndOfTurn(this.#flush);
  }

  onWakeAt(timeMs: number): void {
    if (timeMs >= this.#timerAtMs) return;
    this.#cancelTimer?.();
    this.#timerAtMs = timeMs;
    const { host } = this.owner;
    // Node's timers have whole milliseconds and may be early by a part of one.
    const delayMs = Math.max(1, Math.ceil(timeMs - host.now()));
    this.#cancelTimer = host.setTimer(
      () => {
        this.#timerAtMs = Number.POSITIVE_INFINITY;
        this.session.tick(host.now());
      },
      Math.min(delayMs, 2_147_483_647),
    );
  }
}

/** A promise with its two ends. */
export interface Settleable<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: IpcError) => void;
}

/** Node 20 has no `Promise.withResolvers`. */
export function settleable<T>(): Settleable<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: IpcError) => void;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}
