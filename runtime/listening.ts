import type { Link, LinkLimits, Listener, Place, Transport } from "../transports/transport.js";
import { parseAddress } from "./address.js";
import { Announcer } from "./announcer.js";
import { isLocal, transportNamed } from "./dialler.js";
import { IpcError } from "./error.js";
import type { NameClaim, Names, Offer } from "./names.js";
import type { OpenOptions } from "./open-options.js";

/** What listening needs of its endpoint. */
export interface ListeningConfig {
  /** In order of preference. */
  readonly transports: readonly Transport[];
  /** The transports that this process lacks, by name, and in one sentence why. */
  readonly missing?: Readonly<Record<string, string>> | undefined;
  readonly names: Names;
  readonly limits: LinkLimits;
  /** The run of the endpoint, in hexadecimal. */
  readonly incarnation: string;
  readonly isDiscoverable: boolean;
  onLink(link: Link): void;
  /** What others may use now. */
  offered(): Pick<Offer, "services" | "topics">;
  /** Others cannot find the endpoint, or find what it offered before. */
  onNotAnnounced(error: unknown): void;
}

const NOTHING: Pick<Offer, "services" | "topics"> = { services: [], topics: [] };

/** Where an endpoint is reached, and what it says of itself there. */
export class Listening {
  readonly addresses: string[] = [];
  readonly #config: ListeningConfig;
  #listeners: Listener[] = [];
  #name: string | undefined;
  #claim: NameClaim | undefined;
  #announcer: Announcer | undefined;
  /** An endpoint without a name begins to listen. */
  #goingPublic: Promise<void> | undefined;
  #isOver = false;

  constructor(config: ListeningConfig) {
    this.#config = config;
  }

  /** The name that was asked for; empty where there was none. */
  get name(): string {
    return this.#name ?? "";
  }

  /** Takes the name, and listens on all that the options ask for. Rejects with `IpcError` or `TransportError`. */
  async listen({ name, listen }: Pick<OpenOptions, "name" | "listen">): Promise<void> {
    if (name !== undefined) await this.#listenByName(name);
    for (const text of listen ?? []) {
      const address = parseAddress(text);
      if (address.kind !== "path") {
        throw new IpcError(
          "INVALID_ARGUMENT",
          `listen has ${JSON.stringify(text)}, which is no path; names go into name`,
        );
      }
      const { path } = address;
      await this.#listenOn(transportNamed(this.#config, address.scheme), { kind: "path", path });
      this.addresses.push(text);
    }
  }

  /** Lets others find what is served and published. Resolves when they can, or when that has failed. */
  announce(): Promise<void> {
    if (!this.#config.isDiscoverable || this.#isOver) return Promise.resolve();
    if (this.#announcer !== undefined) return this.#announcer.announce();
    if (this.#name !== undefined) return Promise.resolve();
    this.#goingPublic ??= this.#goPublic().catch((error: unknown) => {
      this.#goingPublic = undefined;
      this.#config.onNotAnnounced(error);
    });
    return this.#goingPublic;
  }

  /** Nobody new comes in. Idempotent. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#goingPublic;
    await Promise.all(this.#listeners.splice(0).map((listener) => listener.close()));
  }

  /** Gives the name back, after `stop`. Idempotent. */
  async release(): Promise<void> {
    await this.#claim?.release();
  }

  async #listenByName(text: string): Promise<void> {
    const { transports, names, incarnation } = this.#config;
    const address = parseAddress(text);
    if (address.kind === "path") {
      throw new IpcError(
        "INVALID_ARGUMENT",
        `name is the path ${JSON.stringify(address.path)}; paths go into listen`,
      );
    }
    const { name } = address;
    if (name.startsWith("_")) {
      throw new IpcError(
        "INVALID_ARGUMENT",
        `name is ${JSON.stringify(name)}; names that begin with "_" are those of endpoints without one`,
      );
    }
    this.#name = name;
    const chosen =
      address.kind === "bare" ? reachable(transports) : [transportNamed(this.#config, address.scheme)];
    const outward = reachable(chosen);
    for (const transport of chosen.filter(isLocal)) await this.#listenAs(transport, name, names.domain);
    if (outward.length > 0) await this.#listenOnClaimed(outward, await names.claim(name, incarnation));
  }

  /** An endpoint without a name has something to offer: it listens under a name that is made up. */
  async #goPublic(): Promise<void> {
    const { names, transports, incarnation } = this.#config;
    const outward = reachable(transports);
    if (names.discovery === undefined || outward.length === 0) return;
    const claim = await names.discovery.claimAny(incarnation);
    try {
      if (!this.#isOver) await this.#listenOnClaimed(outward, claim);
      // What was added meanwhile.
      await this.#announcer?.announce();
    } finally {
      if (this.#announcer === undefined) {
        this.#claim = undefined;
        await claim.release();
      }
    }
  }

  async #listenOnClaimed(transports: readonly Transport[], claim: NameClaim): Promise<void> {
    this.#claim = claim;
    for (const transport of transports) await this.#listenAs(transport, claim.name, claim.directory);
    const listening = transports.map(({ name }) => name);
    const { isDiscoverable, offered, onNotAnnounced } = this.#config;
    const offer = (): Offer => ({ transports: listening, ...(isDiscoverable ? offered() : NOTHING) });
    await claim.announce(offer());
    this.#announcer = new Announcer(claim, offer, onNotAnnounced);
  }

  async #listenAs(transport: Transport, name: string, directory: string): Promise<void> {
    await this.#listenOn(transport, { kind: "name", name, directory });
    this.addresses.push(`${transport.name}:${name}`);
  }

  async #listenOn(transport: Transport, place: Place): Promise<void> {
    const { limits, onLink } = this.#config;
    this.#listeners.push(await transport.listen(place, limits, onLink));
  }
}

/** Those that other processes can dial. */
function reachable(transports: readonly Transport[]): Transport[] {
  return transports.filter((transport) => !isLocal(transport));
}
