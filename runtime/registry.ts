import type { Discovery, DiscoveryWatch, FoundEndpoint } from "./names.js";

/** Who follows the endpoints of the domain. */
export interface RegistryFollower {
  /** An endpoint is there. Called at once, within `follow`, for those that are known. */
  onFound?(endpoint: FoundEndpoint): void;
  /** It offers something else than before. */
  onChanged?(endpoint: FoundEndpoint, before: FoundEndpoint): void;
  /** It has closed, or its process has ended. */
  onGone?(endpoint: FoundEndpoint): void;
}

/**
 * The endpoints of the domain, as far as anybody here wants to know: watched while there is a follower, and for the time
 * of a snapshot. Followers must not throw.
 */
export class Registry {
  readonly #discovery: Discovery;
  readonly #onRefused: (name: string, reason: unknown) => void;
  readonly #followers = new Set<RegistryFollower>();
  readonly #found = new Map<string, FoundEndpoint>();
  #watch: DiscoveryWatch | undefined;

  /** `onRefused` is told of what stands in the domain and cannot be used. */
  constructor(discovery: Discovery, onRefused: (name: string, reason: unknown) => void) {
    this.#discovery = discovery;
    this.#onRefused = onRefused;
  }

  /**
   * Tells of the endpoints that are there, and of those that come and go, until the function returned is called. The
   * process goes on running meanwhile.
   */
  follow(follower: RegistryFollower): () => void {
    this.#followers.add(follower);
    this.#begin();
    for (const endpoint of [...this.#found.values()]) follower.onFound?.(endpoint);
    return () => {
      if (this.#followers.delete(follower) && this.#followers.size === 0) this.stop();
    };
  }

  /** Resolves when those that were there when it was called are among those told of, while there is a follower. */
  get ready(): Promise<void> {
    return this.#watch?.ready ?? Promise.resolve();
  }

  /** The endpoints that are there. */
  async snapshot(): Promise<readonly FoundEndpoint[]> {
    const leave = this.follow({});
    try {
      await this.ready;
      return [...this.#found.values()];
    } finally {
      leave();
    }
  }

  /** Nobody is told of anything from here on. */
  stop(): void {
    this.#followers.clear();
    this.#watch?.stop();
    this.#watch = undefined;
    this.#found.clear();
  }

  #begin(): void {
    this.#watch ??= this.#discovery.watch({
      onFound: (endpoint) => {
        this.#found.set(endpoint.incarnation, endpoint);
        for (const follower of [...this.#followers]) follower.onFound?.(endpoint);
      },
      onChanged: (endpoint, before) => {
        this.#found.set(endpoint.incarnation, endpoint);
        for (const follower of [...this.#followers]) follower.onChanged?.(endpoint, before);
      },
      onGone: (endpoint) => {
        this.#found.delete(endpoint.incarnation);
        for (const follower of [...this.#followers]) follower.onGone?.(endpoint);
      },
      onRefused: (name, reason) => this.#onRefused(name, reason),
    });
  }
}
