import { BackOff, type BackOffRules } from "../back-off.js";
import type { Channel } from "../client.js";
import { UNBOUNDED } from "../client-call.js";
import type { Connection } from "../connection.js";
import { IpcError } from "../error.js";
import type { Host } from "../host.js";
import { type Progress, type SourceOwner, TopicSource } from "./source.js";

/** Whom a feed belongs to: a subscription. */
export interface FeedOwner extends SourceOwner {
  readonly host: Host;
  readonly filter: unknown;
  /** A stream is about to begin. */
  onBegin(source: TopicSource, feed: Feed): void;
  /** There will be no further source. May be called from within `begin`. */
  onFeedOver(feed: Feed, error: IpcError | undefined): void;
}

export interface FeedOptions {
  readonly channel: Channel;
  /** The run of the publisher that is meant; another one at the same address is not. `undefined`: any. */
  readonly incarnation: string | undefined;
  /** When to come back after the stream has ended; `undefined`: not at all. */
  readonly rules: BackOffRules | undefined;
  /** Whether to come back after this end; `undefined`: the publisher ended the subscription well. */
  readonly comesBack: (error: IpcError | undefined) => boolean;
}

/** Keeps a subscription at one address going: one source after the other, each as long as its link lives. */
export class Feed {
  readonly incarnation: string;
  readonly #owner: FeedOwner;
  readonly #options: FeedOptions;
  readonly #backOff: BackOff | undefined;
  #source: TopicSource | undefined;
  /** Where the subscription stood with the last run of the publisher. */
  #last: { readonly incarnation: string; readonly progress: Progress } | undefined;
  #cancelTimer: (() => void) | undefined;
  #state: "on" | "leaving" | "over" = "on";

  constructor(owner: FeedOwner, options: FeedOptions) {
    this.incarnation = options.incarnation ?? "";
    this.#owner = owner;
    this.#options = options;
    this.#backOff = options.rules === undefined ? undefined : new BackOff(options.rules, owner.host);
  }

  /** The stream to the publisher, while there is one. */
  get source(): TopicSource | undefined {
    return this.#source;
  }

  begin(): void {
    this.#cancelTimer = undefined;
    const { channel } = this.#options;
    const current = channel.current();
    if (current !== undefined) {
      this.#start(current);
      return;
    }
    channel.connect(UNBOUNDED).then(
      (connection) => this.#start(connection),
      (error: unknown) => this.#onEnd(IpcError.from(error)),
    );
  }

  /** The stream of the feed's source is over. */
  onSourceEnd(source: TopicSource, error: IpcError | undefined): void {
    if (this.#source !== source) return;
    this.#source = undefined;
    if (this.#backOff !== undefined) {
      this.#last = { incarnation: source.peer.incarnation, progress: source.progress };
      if (source.isConfirmed) this.#backOff.reset();
    }
    this.#onEnd(error);
  }

  /** Ends the stream, and comes back no more. `onFeedOver` is not called. */
  stop(reason: IpcError): void {
    this.#state = "over";
    this.#cancelTimer?.();
    this.#source?.cancel(reason);
  }

  /** The publisher is not to be found any more: its stream is left to end by itself, and is the last. */
  leave(): void {
    if (this.#state !== "on") return;
    this.#cancelTimer?.();
    this.#state = "leaving";
    if (this.#source === undefined) this.#finish(undefined);
  }

  #start(connection: Connection): void {
    if (this.#state !== "on") return;
    const { incarnation } = connection.peer!;
    if (this.#options.incarnation !== undefined && this.#options.incarnation !== incarnation) {
      this.#finish(undefined);
      return;
    }
    const before = this.#last?.incarnation === incarnation ? this.#last.progress : undefined;
    const source = new TopicSource(this.#owner, connection, before);
    this.#source = source;
    this.#owner.onBegin(source, this);
    source.start(this.#owner.filter);
  }

  #onEnd(error: IpcError | undefined): void {
    const isToComeBack = this.#state === "on" && this.#options.comesBack(error);
    if (this.#backOff === undefined || !isToComeBack) {
      this.#finish(error);
      return;
    }
    // Node's timers have whole milliseconds, and at least one.
    const delayMs = Math.ceil(this.#backOff.nextDelayMs());
    this.#cancelTimer = this.#owner.host.setTimer(() => this.begin(), delayMs);
  }

  #finish(error: IpcError | undefined): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#owner.onFeedOver(this, error);
  }
}
