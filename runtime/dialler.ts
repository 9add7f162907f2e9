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

/** A link, and why it is of its transport. */
export interface Dialled {
  readonly link: Link;
  readonly reason: string;
}

const ASKED_FOR = "the address names it";

/** Connects to an address. Rejects with `IpcError`. */
export async function dial(config: DiallerConfig, address: string): Promise<Dialled> {
  const parsed = parseAddress(address);
  try {
    if (parsed.kind === "bare") return await dialBest(config, parsed.name);
    const transport = transportNamed(config.transports, parsed.scheme);
    const place: Place =
      parsed.kind === "path" ? parsed : await namedPlace(config.names, transport, parsed.name);
    return { link: await transport.dial(place, config.limits, undefined), reason: ASKED_FOR };
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

/** Whether a transport stays within the process, so that it needs no directory and is never chosen unasked. */
export function isLocal(transport: Transport): boolean {
  return transport.name === "memory";
}

async function namedPlace(names: Names, transport: Transport, name: string): Promise<Place> {
  const directory = isLocal(transport) ? names.domain : (await names.locate(name)).directory;
  return { kind: "name", name, directory };
}

async function dialBest(config: DiallerConfig, name: string): Promise<Dialled> {
  const { directory, transports: offered } = await config.names.locate(name);
  const candidates = config.transports.filter((transport) => !isLocal(transport));
  const usable = candidates.filter((transport) => offered.includes(transport.name));
  const [best] = usable;
  if (best === undefined) {
    const theirs = offered.length === 0 ? "nothing yet" : offered.join(", ");
    const ours = candidates.map((transport) => transport.name).join(", ");
    throw new IpcError("UNAVAILABLE", `endpoint "${name}" listens on ${theirs}; this process has ${ours}`);
  }
  const link = await best.dial({ kind: "name", name, directory }, config.limits, undefined);
  const reason =
    usable.length === 1
      ? `${best.name} is the only transport that both sides have`
      : `${best.name} is the best of ${usable.map((transport) => transport.name).join(", ")}`;
  return { link, reason };
}
