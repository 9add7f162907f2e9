import type { Link, LinkLimits, Place, Transport, TransportError } from "../transports/transport.js";
import { parseAddress } from "./address.js";
import { IpcError } from "./error.js";
import type { Names } from "./names.js";
import { fromTransportError } from "./transport-errors.js";

/** What dialling needs. */
export interface DiallerConfig {
  /** In order of preference. */
  readonly transports: readonly Transport[];
  /** The transports that this process lacks, by name, and in one sentence why. */
  readonly missing?: Readonly<Record<string, string>> | undefined;
  readonly names: Names;
  readonly limits: LinkLimits;
}

/** A link, and why it is of its transport. */
export interface Dialled {
  readonly link: Link;
  readonly reason: string;
}

const ASKED_FOR = "the address names it";
/** The transport that needs native code, which a process may lack. */
const SHARED_MEMORY = "shm";

/** Connects to an address. Rejects with `IpcError`. */
export async function dial(config: DiallerConfig, address: string): Promise<Dialled> {
  const parsed = parseAddress(address);
  try {
    if (parsed.kind === "bare") return await dialBest(config, parsed.name);
    const transport = transportNamed(config, parsed.scheme);
    const place: Place =
      parsed.kind === "path" ? parsed : await namedPlace(config.names, transport, parsed.name);
    return { link: await transport.dial(place, config.limits, undefined), reason: ASKED_FOR };
  } catch (error) {
    throw fromTransportError(error);
  }
}

/**
 * The transport of a scheme. Throws `IpcError`: UNIMPLEMENTED that says what is missing for it; INVALID_ARGUMENT that
 * names those there are.
 */
export function transportNamed(
  { transports, missing = {} }: Pick<DiallerConfig, "transports" | "missing">,
  scheme: string,
): Transport {
  const transport = transports.find(({ name }) => name === scheme);
  if (transport !== undefined) return transport;
  const why = missing[scheme];
  if (why !== undefined) throw new IpcError("UNIMPLEMENTED", why);
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
  // What would have been better, and why it was not taken.
  const passedOver: string[] = [];
  if (offered.includes(SHARED_MEMORY) && !usable.some((transport) => transport.name === SHARED_MEMORY)) {
    const why = config.missing?.[SHARED_MEMORY];
    passedOver.push(why ?? `${SHARED_MEMORY} is not built here: run npx protoipc build`);
  }
  for (const [index, transport] of usable.entries()) {
    const next = usable[index + 1];
    try {
      const link = await transport.dial({ kind: "name", name, directory }, config.limits, undefined);
      return { link, reason: [...passedOver, reasonFor(transport, usable, index)].join("; ") };
    } catch (error) {
      if (next === undefined || !mayBeOtherwise(error)) throw withPassedOver(error, passedOver);
      passedOver.push(`${transport.name}: ${error.message}`);
    }
  }
  const theirs = offered.length === 0 ? "nothing yet" : offered.join(", ");
  const ours = candidates.map((transport) => transport.name).join(", ");
  const text = `endpoint "${name}" listens on ${theirs}; this process has ${ours}`;
  throw new IpcError("UNAVAILABLE", [text, ...passedOver].join("; "));
}

function reasonFor(transport: Transport, usable: readonly Transport[], index: number): string {
  if (index > 0) return `${transport.name} is next`;
  if (usable.length === 1) return `${transport.name} is the only transport that both sides have`;
  return `${transport.name} is the best of ${usable.map(({ name }) => name).join(", ")}`;
}

/** Whether another transport may lead to the endpoint where this one did not: nobody is there, or it does not work here. */
function mayBeOtherwise(error: unknown): error is TransportError {
  if (!(error instanceof Error) || error.name !== "TransportError" || !("kind" in error)) return false;
  return error.kind === "unavailable" || error.kind === "notFound" || error.kind === "denied";
}

/** The error of the last transport that was tried, with those of the others in its message. */
function withPassedOver(error: unknown, passedOver: readonly string[]): unknown {
  if (passedOver.length === 0) return error;
  const { code, rawMessage, peerMessage, cause } = fromTransportError(error);
  return new IpcError(code, [rawMessage, ...passedOver].join("; "), { peerMessage, cause });
}
