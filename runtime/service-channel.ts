import { type Channel, within } from "./client.js";
import type { Connection } from "./connection.js";
import { IpcError } from "./error.js";
import type { Host } from "./host.js";
import type { FoundEndpoint } from "./names.js";
import type { Registry } from "./registry.js";

/** What finding a server needs of its endpoint. */
export interface ServiceChannelConfig {
  readonly host: Host;
  readonly registry: Registry;
  readonly domain: string;
  /** The run of this endpoint itself. */
  readonly incarnation: string;
  /** The service's full name. */
  readonly service: string;
  isOver(): boolean;
  /** The connection to an address, if there is one to use. */
  current(address: string): Connection | undefined;
  connect(address: string): Promise<Connection>;
}

/**
 * Leads to an endpoint that serves a service, whichever it is: the one that it led to before, as long as its link lives;
 * else one that is linked already, else the one that has been there for the longest time, this endpoint itself last.
 */
export function serviceChannel(config: ServiceChannelConfig): Channel {
  const { host, service } = config;
  let address: string | undefined;
  const connect = async (): Promise<Connection> => {
    const found = await config.registry.snapshot();
    const serving = found.filter(({ services }) => services.some(({ name }) => name === service));
    let failure: IpcError | undefined;
    for (const endpoint of inOrder(serving, config)) {
      try {
        const connection = await config.connect(endpoint.address);
        address = endpoint.address;
        return connection;
      } catch (error) {
        // It may just have ended; another one may do.
        failure = IpcError.from(error);
      }
    }
    if (failure !== undefined) throw failure;
    const text = `nobody serves ${service} in domain ${config.domain}, which has ${found.length} endpoints`;
    throw new IpcError("UNAVAILABLE", text);
  };
  return {
    host,
    target: service,
    isOver: () => config.isOver(),
    current: () => (address === undefined ? undefined : config.current(address)),
    connect: (bounds) => within(host, bounds, connect()),
  };
}

function inOrder(endpoints: readonly FoundEndpoint[], config: ServiceChannelConfig): FoundEndpoint[] {
  const rank = ({ address, incarnation }: FoundEndpoint): number => {
    if (incarnation === config.incarnation) return 2;
    return config.current(address) === undefined ? 1 : 0;
  };
  return [...endpoints].sort(
    (a, b) =>
      rank(a) - rank(b) || Number(a.startTime) - Number(b.startTime) || (a.address < b.address ? -1 : 1),
  );
}
