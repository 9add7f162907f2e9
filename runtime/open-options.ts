import type { Interceptor } from "./interceptor.js";
import { DEFAULT_LIMITS, type Limits } from "./limits.js";

/** What `open` may be told. */
export interface OpenOptions {
  /**
   * The name under which others find this endpoint, 1 to 64 characters of a-z, A-Z, 0-9, ".", "_" and "-": it listens
   * on every transport there is. With a transport in front ("unix:market", "memory:market") it listens on that one
   * alone. Names that begin with "_" are made up, for endpoints without one: such an endpoint listens when it serves or
   * publishes something, so that it is found too; until then it only dials.
   */
  readonly name?: string | undefined;
  /** Further addresses to listen on, by absolute path: "unix:/run/app/market.sock". */
  readonly listen?: readonly string[] | undefined;
  /** Limits that differ from `DEFAULT_LIMITS`. Each is checked against its range. */
  readonly limits?: Partial<Limits> | undefined;
  /** Around every call that this endpoint makes, the first one outermost. */
  readonly clientInterceptors?: readonly Interceptor[] | undefined;
  /** Around every handler of this endpoint, the first one outermost. */
  readonly serverInterceptors?: readonly Interceptor[] | undefined;
  /** How long `close` waits for calls in flight and queued publications, in milliseconds from 0. 5,000 unless said. */
  readonly drainTimeoutMs?: number | undefined;
  /** Keeps apart endpoints of the same name. "default", or $PROTOIPC_DOMAIN, unless said. */
  readonly domain?: string | undefined;
  /**
   * Whether others find this endpoint by what it serves and publishes; true unless said. With false they need its address,
   * and without a name it never listens: it serves the peers that it dials.
   */
  readonly discoverable?: boolean | undefined;
  /**
   * Whether whoever connects may ask what this endpoint serves and publishes, with the schemas, and who is connected:
   * `protoipc/v1/inspect.proto`, which the command line uses. True unless said.
   */
  readonly inspect?: boolean | undefined;
  /**
   * Connects to the process that started this one with `endpoint.spawn`: `endpoint.parent`. When that is gone, this endpoint
   * closes and the process ends; with "keep" it goes on. Rejects with FAILED_PRECONDITION where there is none.
   */
  readonly parent?: boolean | "keep" | undefined;
  /**
   * How the event loop waits for what comes over shared memory. "adaptive", unless said: it looks for up to 20 us before
   * it sleeps, so that a busy pair needs no system call; a link that was idle for a millisecond costs nothing. "event":
   * it sleeps at once. "spin": it never sleeps, and takes a whole core for the lowest latency.
   */
  readonly waiting?: "adaptive" | "event" | "spin" | undefined;
}

const OPTION_NAMES: readonly (keyof OpenOptions)[] = [
  "name",
  "listen",
  "limits",
  "clientInterceptors",
  "serverInterceptors",
  "drainTimeoutMs",
  "domain",
  "discoverable",
  "inspect",
  "parent",
  "waiting",
];

const WAYS_TO_WAIT: readonly unknown[] = ["adaptive", "event", "spin"];

/** Throws a `TypeError` for an option that there is not, or a value that cannot be. */
export function checkOpenOptions(options: OpenOptions): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError('open takes an object: open({ name: "market" })');
  }
  for (const name of Object.keys(options)) {
    if (OPTION_NAMES.some((known) => known === name)) continue;
    throw new TypeError(`open has no option ${JSON.stringify(name)}; it has: ${OPTION_NAMES.join(", ")}`);
  }
  const { discoverable, drainTimeoutMs, inspect, listen, parent, waiting } = options;
  if (parent !== undefined && typeof parent !== "boolean" && parent !== "keep") {
    throw new TypeError(`parent is ${JSON.stringify(parent)}; it must be true, false or "keep"`);
  }
  for (const [name, value] of Object.entries({ discoverable, inspect })) {
    if (value !== undefined && typeof value !== "boolean") {
      throw new TypeError(`${name} is ${typeof value}; it must be true or false`);
    }
  }
  if (listen !== undefined && !Array.isArray(listen)) {
    throw new TypeError(`listen is ${typeof listen}; it must be an array of addresses`);
  }
  if (drainTimeoutMs !== undefined && !(drainTimeoutMs >= 0)) {
    throw new TypeError(`drainTimeoutMs is ${drainTimeoutMs}; it must be a number from 0`);
  }
  if (waiting !== undefined && !WAYS_TO_WAIT.includes(waiting)) {
    throw new TypeError(
      `waiting is ${JSON.stringify(waiting)}; it must be one of: ${WAYS_TO_WAIT.join(", ")}`,
    );
  }
}

const SMALLEST: Partial<Record<keyof Limits, number>> = { maxMessageBytes: 1_024, maxHeaderBytes: 1_024 };
const LARGEST: Partial<Record<keyof Limits, number>> = {
  maxMessageBytes: 1_073_741_824,
  maxNesting: 1_000,
  maxKeys: 16_777_216,
};
const LARGEST_OTHER = 2_147_483_647;

/** The limits, with the defaults where nothing is said. Throws a `TypeError` that names the limit and its range. */
export function limitsOf(given: Partial<Limits> | undefined): Limits {
  const limits: Limits = { ...DEFAULT_LIMITS, ...given };
  for (const [name, value] of Object.entries(limits)) {
    if (!Object.hasOwn(DEFAULT_LIMITS, name)) {
      const known = Object.keys(DEFAULT_LIMITS).join(", ");
      throw new TypeError(`there is no limit ${JSON.stringify(name)}; there are: ${known}`);
    }
    const least = SMALLEST[name as keyof Limits] ?? 1;
    const most = LARGEST[name as keyof Limits] ?? LARGEST_OTHER;
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new TypeError(`limits.${name} is ${value}; it must be a whole number from ${least} to ${most}`);
    }
  }
  return limits;
}
