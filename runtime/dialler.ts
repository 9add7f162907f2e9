import type { Link, LinkLimits, Place, Transport } from "../transports/transport.js";
import { parseAddress } from "./address.js";
import { IpcError } from "./error.js";
import type { Names } from "./names.js";
import { fromTransportError } from "./transport-errors.js";

/** What dialling needs. */
export interface DiallerConfig {
  /** In order of preference. */
  readonly transports: readonly Transport[];
  readonly names: Names;
  readonly limits: LinkLimits;
}

/** Connects to an address. Rejects with `IpcError`. */
export async function dial(
  config: DiallerConfig,
  address: string,
  signal: AbortSignal | undefined,
): Promise<Link> {
  const parsed = parseAddress(address);
  try {
    if (parsed.kind === "path") {
      const place: Place = { kind: "path", path: parsed.path };
      return await transportNamed(config.transports, parsed.scheme).dial(place, config.limits, signal);
    }
    if (parsed.kind === "name") {
      const transport = transportNamed(config.transports, parsed.scheme);
      return await transport.dial(
        await namedPlace(config.names, transport, parsed.name),
        config.limits,
        signal,
      );
    }
    return await dialBest(config, parsed.name, signal);
  } catch (error) {
    throw fromTransportError(error);
  }
}

/** The transport of a scheme. Throws `IpcError` INVALID_ARGUMENT that names those there are. */
export function transportNamed(transports: readonly Transport[], scheme: string): Transport {
  const transport = transports.find(({ name }) => name === scheme);
  if (transport !== undefined) return transport;
  const known = transports.map(({ name }) => name).join(", ");
  throw new IpcError(
    "INVALID_ARGUMENT",
    `there is no transport ${JSON.stringify(scheme)}; there are: ${known}`,
  );
}

/** Where a transport finds an endpoint by name. */
export async function namedPlace(names: Names, transport: Transport, name: string): Promise<Place> {
  if (isLocal(transport)) return { kind: "name", name, directory: names.domain };
  const { directory } = await names.locate(name);
  return { kind: "name", name, directory };
}

/** Whether a transport stays within the process, so that it needs no directory and is never chosen unasked. */
export function isLocal(transport: Transport): boolean {
  return transport.name === "memory";
}

async function dialBest(config: DiallerConfig, name: string, signal: AbortSignal | undefined): Promise<Link> {
  const { directory, transports: offered } = await config.names.locate(name);
  const candidates = config.transports.filter((transport) => !isLocal(transport));
  const usable = candidates.filter((transport) => offered === undefined || offered.includes(transport.name));
  const [best] = usable;
  if (best === undefined) {
    const ours = candidates.map((transport) => transport.name).join(", ");
    const text = `endpoint "${name}" listens on ${offered?.join(", ") ?? "nothing"}; this process has ${ours}`;
    throw new IpcError("UNAVAILABLE", text);
  }
  return best.dial({ kind: "name", name, directory }, config.limits, signal);
}
