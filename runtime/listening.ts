import type { Link, LinkLimits, Listener, Place, Transport } from "../transports/transport.js";
import { parseAddress } from "./address.js";
import { Announcer } from "./announcer.js";
import type { BackOffRules } from "./back-off.js";
import { isLocal, transportNamed } from "./dialler.js";
import { IpcError } from "./error.js";
import type { Host } from "./host.js";
import type { NameClaim, Names, Offer } from "./names.js";
import type { OpenOptions } from "./open-options.js";
import { Retry } from "./retry.js";
import { fromTransportError } from "./transport-errors.js";

/** What listening needs of its endpoint. */
export interface ListeningConfig {
  readonly host: Host;
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
  /** Others cannot find the endpoint, or find what it offered before. Told once until they can. */
  onNotAnnounced(error: unknown): void;
}

/** What kept an endpoint from being announced may pass: a full disk, a file that on Windows others have open. */
const ANNOUNCING: BackOffRules = { initialDelayMs: 100, maxDelayMs: 5_000, factor: 2, jitter: 0.5 };

const NOTHING: Pick<Offer, "services" | "topics"> = { services: [], topics: [] };

/** Where an endpoint is reached, and what it says of itself there. */
export class Listening {
  readonly addresses: string[] = [];
  readonly #config: ListeningConfig;
  readonly #retry: Retry;
  #listeners: Listener[] = [];
  #name: string | undefined;
  #claim: NameClaim | undefined;
  #announcer: Announcer | undefined;
  /** An endpoint without a name begins to listen. */
  #goingPublic: Promise<void> | undefined;
  #isOver = false;

  constructor(config: ListeningConfig) {
    this.#config = config;
    this.#retry = new Retry(config.host, ANNOUNCING, () => void this.announce());
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
      this.#onNotAnnounced(error);
    });
    return this.#goingPublic;
  }

  /** Nobody new comes in. Idempotent. */
  async stop(): Promise<void> {
    this.#isOver = true;
    this.#retry.reset();
    await this.#goingPublic;
    await Promise.all(this.#listeners.splice(0).map((listener) => listener.close()));
  }

  /** Gives the name back, after `stop`. Idempotent. */
  async release(): Promise<void> {
    await this.#claim?.release();
  }

  #onNotAnnounced(error: unknown): void {
    // Of an offer that is too long there is no use in trying again before it is another one.
    const isFinal = fromTransportError(error).code === "INVALID_ARGUMENT";
    if (isFinal || !this.#retry.isUnderWay) this.#config.onNotAnnounced(error);
    if (!isFinal && !this.#isOver) this.#retry.later();
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
    const listening = transports.map(({ name }) => name);
    const { isDiscoverable, offered } = this.#config;
    const offer = (): Offer => ({ transports: listening, ...(isDiscoverable ? offered() : NOTHING) });
    const [listeners, addresses] = [this.#listeners.length, this.addresses.length];
    try {
      for (const transport of transports) await this.#listenAs(transport, claim.name, claim.directory);
      await claim.announce(offer());
    } catch (error) {
      // Another attempt has another name.
      this.addresses.splice(addresses);
      await Promise.allSettled(this.#listeners.splice(listeners).map((listener) => listener.close()));
      throw error;
    }
    this.#retry.reset();
    this.#announcer = new Announcer(
      claim,
      offer,
      () => this.#retry.reset(),
      (error) => this.#onNotAnnounced(error),
    );
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
