import { type Endpoint, type FoundEndpoint, type OpenOptions, open } from "../index.js";
import { whileRead } from "./reader.js";

/** The options that all commands have. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly domain?: string | undefined;
  /** In milliseconds. */
  readonly timeout: number;
}

/** Does something with an endpoint that nobody sees, for as long as somebody reads the output, and closes it. */
export async function withEndpoint<T>(
  { domain }: CommonOptions,
  run: (endpoint: Endpoint) => Promise<T>,
  options: OpenOptions = {},
): Promise<T> {
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
