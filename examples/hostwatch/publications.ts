import type { Endpoint, PublisherOf, PublishResult } from "protoipc";
import { Hostwatch, type HostwatchDefinition } from "../../gen/hostwatch/v1/hostwatch_protoipc.js";
import type { Samples } from "./samples.js";

interface Publishers {
  readonly cores: PublisherOf<HostwatchDefinition["cores"]>;
  readonly interfaces: PublisherOf<HostwatchDefinition["interfaces"]>;
  readonly disks: PublisherOf<HostwatchDefinition["disks"]>;
  readonly memory: PublisherOf<HostwatchDefinition["memory"]>;
  readonly load: PublisherOf<HostwatchDefinition["load"]>;
}

/** The daemon's topics, and how much it has published. */
export class Publications {
  readonly #publishers: Publishers;
  #published = 0;
  #ending: Promise<unknown> | undefined;

  private constructor(publishers: Publishers) {
    this.#publishers = publishers;
  }

  static async open(endpoint: Endpoint): Promise<Publications> {
    return new Publications({
      cores: await endpoint.publisher(Hostwatch.cores),
      interfaces: await endpoint.publisher(Hostwatch.interfaces),
      disks: await endpoint.publisher(Hostwatch.disks),
      memory: await endpoint.publisher(Hostwatch.memory),
      load: await endpoint.publisher(Hostwatch.load),
    });
  }

  /** Publications so far, counted once for every subscriber whose filter they matched. */
  get published(): number {
    return this.#published;
  }

  /** Publishes one moment on every topic; nothing after `end`. */
  publish(samples: Samples): void {
    if (this.#ending !== undefined) return;
    const { cores, interfaces, disks, memory, load } = this.#publishers;
    for (const { key, message } of samples.cores) this.#count(cores.publish(key, message));
    for (const { key, message } of samples.interfaces) this.#count(interfaces.publish(key, message));
    for (const { key, message } of samples.disks) this.#count(disks.publish(key, message));
    this.#count(memory.publish(samples.memory));
    this.#count(load.publish(samples.load));
  }

  /** Ends every subscription well. Resolves when all was sent, or reported as lost. Idempotent. */
  async end(): Promise<void> {
    this.#ending ??= Promise.all(Object.values(this.#publishers).map((publisher) => publisher.close()));
    await this.#ending;
  }

  #count(result: PublishResult): void {
    this.#published += result.matched;
  }
}
