import type { BackOffRules } from "../back-off.js";
import type { Channel } from "../client.js";
import type { IpcError } from "../error.js";
import type { FoundEndpoint } from "../names.js";
import type { Registry } from "../registry.js";
import { Feed, type FeedOwner } from "./feed.js";

export interface DomainFeedsOptions {
  readonly registry: Registry;
  /** The topic's. */
  readonly fullName: string;
  /** How a publisher is tried again that is there and could not be reached. */
  readonly rules: BackOffRules;
  channel(address: string): Channel;
}

/** The feeds of a subscription to all publishers of a topic in the domain, those that come later among them. */
export class DomainFeeds {
  readonly #owner: FeedOwner;
  readonly #options: DomainFeedsOptions;
  /** By the run of the publisher's endpoint. */
  readonly #feeds = new Map<string, Feed>();
  /** The endpoints that publish the topic now. */
  readonly #wanted = new Map<string, FoundEndpoint>();
  /** Those whose publications make no sense here. */
  readonly #givenUp = new Set<string>();
  #leave: (() => void) | undefined;
  #isOver = false;

  constructor(owner: FeedOwner, options: DomainFeedsOptions) {
    this.#owner = owner;
    this.#options = options;
  }

  begin(): void {
    const { registry } = this.#options;
    const leave = registry.follow({
      onFound: (endpoint) => this.#look(endpoint),
      onChanged: (endpoint) => this.#look(endpoint),
      onGone: ({ incarnation }) => {
        this.#forget(incarnation);
        this.#givenUp.delete(incarnation);
      },
    });
    if (this.#isOver) leave();
    else this.#leave = leave;
  }

  /** Resolves when the publishers that are there are known. */
  get ready(): Promise<void> {
    return this.#options.registry.ready;
  }

  /** Whether every publisher that is known has confirmed. */
  get allConfirmed(): boolean {
    return [...this.#feeds.values()].every(({ source }) => source?.isConfirmed === true);
  }

  stop(reason: IpcError): void {
    this.#isOver = true;
    this.#leave?.();
    for (const feed of [...this.#feeds.values()]) feed.stop(reason);
    this.#feeds.clear();
  }

  onFeedOver(feed: Feed, error: IpcError | undefined): void {
    for (const [incarnation, known] of this.#feeds) if (known === feed) this.#feeds.delete(incarnation);
    if (error !== undefined && !comesBack(error)) {
      this.#givenUp.add(feed.incarnation);
    } else {
      // It may publish the topic again meanwhile.
      const wanted = this.#wanted.get(feed.incarnation);
      if (wanted !== undefined) this.#look(wanted);
    }
  }

  #look(endpoint: FoundEndpoint): void {
    if (this.#isOver) return;
    const { incarnation, address, topics } = endpoint;
    const { fullName, rules, channel } = this.#options;
    const known = this.#feeds.get(incarnation);
    if (!topics.some(({ name }) => name === fullName)) {
      this.#forget(incarnation);
      return;
    }
    this.#wanted.set(incarnation, endpoint);
    if (known !== undefined || this.#givenUp.has(incarnation)) return;
    const feed = new Feed(this.#owner, { channel: channel(address), incarnation, rules, comesBack });
    this.#feeds.set(incarnation, feed);
    feed.begin();
  }

  #forget(incarnation: string): void {
    this.#wanted.delete(incarnation);
    this.#feeds.get(incarnation)?.leave();
  }
}

/** Whether a publisher that is still there is tried again: not where it or we make no sense to the other. */
function comesBack(error: IpcError | undefined): boolean {
  return error?.code !== "INVALID_ARGUMENT" && error?.code !== "INTERNAL";
}
