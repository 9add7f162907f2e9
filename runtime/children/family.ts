import type { Link, LinkLimits } from "../../transports/transport.js";
import type { Connection } from "../connection.js";
import { IpcError } from "../error.js";
import type { Host } from "../host.js";
import type { Interceptor } from "../interceptor.js";
import type { Peer } from "../peer.js";
import { fromTransportError } from "../transport-errors.js";
import { EndpointChild } from "./child.js";
import type { Child, SpawnOptions } from "./child-api.js";
import type { Spawner } from "./spawner.js";

/** What starting processes needs of its endpoint. */
export interface FamilyHome {
  readonly host: Host;
  /** Absent where processes cannot be started. */
  readonly spawner: Spawner | undefined;
  readonly limits: LinkLimits;
  readonly clientInterceptors: readonly Interceptor[];
  /** Begins a session on a link. `handshakeTimeoutMs`: where it is not that of the endpoint; from 1 to `Infinity`. */
  adopt(link: Link, side: "dialler" | "acceptor", handshakeTimeoutMs?: number): Connection;
  closeEndpoint(): Promise<void>;
}

/** The processes that an endpoint has started, and the one that has started its own. */
export class Family {
  readonly #home: FamilyHome;
  readonly #children = new Set<EndpointChild>();
  #parent: Connection | undefined;

  constructor(home: FamilyHome) {
    this.#home = home;
  }

  get parent(): Peer | undefined {
    return this.#parent?.peer;
  }

  /** As `Endpoint.spawn`. */
  async spawn(command: string, options: SpawnOptions): Promise<Child> {
    const { host, limits, clientInterceptors, adopt } = this.#home;
    const child = new EndpointChild(command, options, {
      host,
      spawner: this.#spawner(),
      limits,
      clientInterceptors,
      // A run has a limit of its own.
      adopt: (link) => adopt(link, "acceptor", Number.POSITIVE_INFINITY),
      onDone: (done) => this.#children.delete(done),
    });
    this.#children.add(child);
    await child.start();
    return child;
  }

  /** The process that has started this one waits for it, and it ends with that. */
  async joinParent(how: true | "keep"): Promise<void> {
    const spawner = this.#spawner();
    let link: Link;
    try {
      link = spawner.parent(this.#home.limits);
    } catch (error) {
      const { rawMessage } = fromTransportError(error);
      throw new IpcError("FAILED_PRECONDITION", rawMessage, { cause: error });
    }
    const connection = this.#home.adopt(link, "dialler");
    // It knows of us only when our services are there: it may call at once.
    connection.hold();
    this.#parent = connection;
    await connection.ready;
    if (how === "keep") return;
    void connection.closed.then(async () => {
      await this.#home.closeEndpoint();
      spawner.exit();
    });
  }

  /** Whatever is served at first is there. */
  begin(): void {
    this.#parent?.release();
  }

  /** Ends the processes. Idempotent. */
  async close(): Promise<void> {
    await Promise.all([...this.#children].map((child) => child.close()));
  }

  #spawner(): Spawner {
    const { spawner } = this.#home;
    if (spawner === undefined) throw new IpcError("UNIMPLEMENTED", "processes cannot be started here");
    return spawner;
  }
}
