/** Where named endpoints have their directories, and who may take a name. */
export interface Names {
  /** Takes a name for good. Rejects with a `TransportError`: "inUse" names the owner's pid. */
  claim(name: string, incarnation: string): Promise<NameClaim>;
  /** Where an endpoint is. Rejects with a `TransportError`: "notFound" says where was looked, and why there. */
  locate(name: string): Promise<NamedPlace>;
  /** What keeps apart endpoints of the same name. */
  readonly domain: string;
  /** How endpoints are found by what they offer; absent where they are not. */
  readonly discovery?: Discovery | undefined;
}

export interface NameClaim {
  readonly name: string;
  readonly directory: string;
  /** Says what the endpoint offers. Whoever looks sees this offer or the one before, whole. */
  announce(offer: Offer): Promise<void>;
  /** Gives the name back. Idempotent. */
  release(): Promise<void>;
}

export interface NamedPlace {
  readonly directory: string;
  /** The transports that the endpoint says it listens on, best first. */
  readonly transports: readonly string[];
}

/** A service or a topic that an endpoint has. */
export interface OfferedItem {
  /** The full name: "market.v1.Market" of a service, "market.v1.Market/Quotes" of a topic. */
  readonly name: string;
  /** A hash of its schema in hexadecimal; empty: it is not known. */
  readonly fingerprint: string;
}

/** What an endpoint says that others may use. */
export interface Offer {
  /** What it listens on, best first. */
  readonly transports: readonly string[];
  /** The services that it serves. */
  readonly services: readonly OfferedItem[];
  /** The topics that it publishes. */
  readonly topics: readonly OfferedItem[];
}

/** An endpoint of the domain, as it describes itself. */
export interface FoundEndpoint extends Offer {
  /** Its name; empty for an endpoint without one. */
  readonly name: string;
  /** What reaches it, whether it has a name or not: a target of `client`, `subscribe` and `connect`. */
  readonly address: string;
  readonly pid: number;
  /** When the process was started, in the kernel's own count; tells it from an earlier one of the same pid. "" : not known. */
  readonly startTime: string;
  /** The run of the endpoint, as in `Peer.incarnation`. */
  readonly incarnation: string;
  /** Its implementation, such as "typescript/0.1.0". */
  readonly implementation: string;
}

/** Who is told of the endpoints of a domain. */
export interface DiscoveryListener {
  /** An endpoint is there. */
  onFound(endpoint: FoundEndpoint): void;
  /** The same run of an endpoint offers something else. */
  onChanged(endpoint: FoundEndpoint, before: FoundEndpoint): void;
  /** It has closed, or its process has ended. */
  onGone(endpoint: FoundEndpoint): void;
  /** What stands in the domain and cannot be used, and why; or why the domain cannot be watched at all. */
  onRefused(name: string, reason: unknown): void;
}

export interface DiscoveryWatch {
  /** Resolves when those that were there at the beginning have been told of. */
  readonly ready: Promise<void>;
  /** Nothing is told from here on. Idempotent. */
  stop(): void;
}

export interface Discovery {
  /** Takes a name that is made up, for an endpoint without one. */
  claimAny(incarnation: string): Promise<NameClaim>;
  /** Tells of the endpoints that are there, and of those that come and go. */
  watch(listener: DiscoveryListener): DiscoveryWatch;
}
