import { type Endpoint, type FoundEndpoint, type OpenOptions, open } from "../index.js";
import { whileRead } from "./reader.js";

/** The options that all commands have. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly domain?: string | undefined;
  /** In milliseconds. */
  readonly timeout: number;
}

/** The options of commands that dial. */
export interface DialOptions extends CommonOptions {
  /** The only transport to use. */
  readonly transport?: string | undefined;
}

/** Does something with an endpoint that nobody sees, for as long as somebody reads the output, and closes it. */
export async function withEndpoint<T>(
  { domain, transport }: DialOptions,
  run: (endpoint: Endpoint) => Promise<T>,
  options: OpenOptions = {},
): Promise<T> {
  // The one way to say it that holds for all: for what is dialled, and for what others dial.
  if (transport !== undefined) process.env["PROTOIPC_TRANSPORTS"] = transport;
  const endpoint = await open({
    domain,
    discoverable: false,
    inspect: false,
    drainTimeoutMs: 1_000,
    ...options,
  });
  try {
    return await whileRead(run(endpoint));
  } finally {
    await endpoint.close();
  }
}

/** How an endpoint is called by people. */
export function nameOf({ name, address }: Pick<FoundEndpoint, "name" | "address">): string {
  return name === "" ? address : name;
}
