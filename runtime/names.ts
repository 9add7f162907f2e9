/** Where named endpoints have their directories, and who may take a name. */
export interface Names {
  /** Takes a name for good. Rejects with a `TransportError`: "inUse" names the owner's pid. */
  claim(name: string, incarnation: string): Promise<NameClaim>;
  /** Where an endpoint is. Rejects with a `TransportError`: "notFound" says where was looked, and why there. */
  locate(name: string): Promise<NamedPlace>;
  /** What keeps apart endpoints of the same name. */
  readonly domain: string;
}

export interface NameClaim {
  readonly directory: string;
  /** Says which transports the endpoint listens on, best first. */
  announce(transports: readonly string[]): Promise<void>;
  /** Gives the name back. Idempotent. */
  release(): Promise<void>;
}

export interface NamedPlace {
  readonly directory: string;
  /** The transports that the endpoint says it listens on, best first. */
  readonly transports: readonly string[];
}
