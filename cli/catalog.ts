import { createRegistry, type DescService, type FileRegistry, type Registry } from "@bufbuild/protobuf";
import { definitionOf, definitionsOf, type DynamicService, registryOf } from "../dynamic/definitions.js";
import { Inspect } from "../gen/protoipc/v1/inspect_protoipc.js";
import type { DescribeReply } from "../gen/protoipc/v1/inspect_pb.js";
import { file_protoipc_v1_simple } from "../gen/protoipc/v1/simple_pb.js";
import { type AnyMethod, type AnyTopic, type Endpoint, IpcError } from "../index.js";
import { chooseDomain, chooseRoot, listDomain } from "../transports/directory/index.js";
import { CliError } from "./cli-error.js";
import { nativeFileLock } from "./file-lock.js";
import { nearest } from "./nearest.js";

/** An endpoint, and what it tells of itself. */
export interface Described {
  readonly address: string;
  readonly reply: DescribeReply;
  readonly registry: FileRegistry;
  readonly services: readonly DynamicService[];
}

/** An endpoint that did not tell. */
export interface Silent {
  readonly address: string;
  readonly error: IpcError;
}

/** All that could be learned. */
export interface Catalog {
  /** The one that was asked; `undefined`: all. */
  readonly address: string | undefined;
  readonly described: readonly Described[];
  readonly silent: readonly Silent[];
}

/** What can be called, published or subscribed to. */
export interface Found {
  /** Who has it; `undefined`: it is built in. */
  readonly described: Described | undefined;
  readonly service: DynamicService;
  readonly method: AnyMethod | AnyTopic;
  readonly registry: Registry;
}

/** Whom to ask. */
interface Asking {
  readonly domain?: string | undefined;
  /** The one to ask; all that there are unless said. */
  readonly to?: string | undefined;
  /** How long to wait for each, in milliseconds. */
  readonly timeout: number;
}

/**
 * Asks an endpoint, or all that there are. What does not answer in time is told apart. Removes nothing of dead ones, as a
 * lock alone proves a death that is not always there; who lives in another network namespace is reached by socket.
 */
export async function describeAll(
  endpoint: Endpoint,
  { domain, to: address, timeout: timeoutMs }: Asking,
): Promise<Catalog> {
  const addresses = address === undefined ? await addressesIn(domain) : [address];
  const described: Described[] = [];
  const silent: Silent[] = [];
  await Promise.all(
    addresses.sort().map(async (one) => {
      try {
        const reply = await endpoint.client(Inspect, one).describe({}, { timeoutMs });
        const registry = registryOf(reply.fileDescriptorSet);
        described.push({ address: one, reply, registry, services: definitionsOf(registry) });
      } catch (error) {
        if (address !== undefined) throw error;
        silent.push({ address: one, error: IpcError.from(error) });
      }
    }),
  );
  described.sort((a, b) => (a.address < b.address ? -1 : 1));
  return { address, described, silent };
}

/** The endpoints that listen. */
async function addressesIn(domain: string | undefined): Promise<string[]> {
  const surveyed = await listDomain(await chooseRoot(), chooseDomain(domain), nativeFileLock());
  return surveyed.flatMap((one) => {
    const isThere = one.kind === "alive" || one.kind === "elsewhere";
    return isThere && one.entry.transports.length > 0 ? one.name : [];
  });
}

/** The methods and topics that endpoints have now. */
export function itemsOf(described: readonly Described[]): Found[] {
  const items: Found[] = [];
  for (const one of described) {
    const served = new Set(one.reply.services.flatMap(({ methods }) => methods));
    const published = new Set(one.reply.topics.map(({ name }) => name));
    for (const service of one.services) {
      for (const method of service.$methods) {
        const has = isTopicKind(method) ? published : served;
        if (has.has(method.fullName)) {
          items.push({ described: one, service, method, registry: one.registry });
        }
      }
    }
  }
  return items;
}

/** The topics for single values, whose schema everybody has. */
export function builtInItems(): Found[] {
  const desc: DescService = file_protoipc_v1_simple.services[0]!;
  const service = definitionOf(desc);
  const registry = createRegistry(file_protoipc_v1_simple);
  return service.$methods.map((method) => ({ described: undefined, service, method, registry }));
}

export function isTopicKind(method: AnyMethod | AnyTopic): method is AnyTopic {
  return method.kind === "topic" || method.kind === "unkeyedTopic";
}

/**
 * The item of a name: whole, without its package, or alone, in any case. Throws a `CliError` with the candidates of one
 * that is ambiguous, and with what is near to one that is not there.
 */
export function findItem(catalog: Catalog, name: string, what: "method" | "topic"): Found {
  const { address, described, silent } = catalog;
  const items = [...itemsOf(described), ...builtInItems()];
  const wanted = items.filter(({ method }) => isTopicKind(method) === (what === "topic"));
  const exact = wanted.filter(({ method }) => method.fullName === name);
  const matching = exact.length > 0 ? exact : wanted.filter(({ method }) => endsWith(method.fullName, name));
  const names = [...new Set(matching.map(({ method }) => method.fullName))];
  if (names.length > 1) {
    const text = `${JSON.stringify(name)} may be several ${what}s; say which`;
    throw new CliError("INVALID_ARGUMENT", text, { suggestions: names });
  }
  const [found] = matching;
  if (found !== undefined) return found;
  const other = items.find(({ method }) => endsWith(method.fullName, name));
  if (other !== undefined) {
    const hint =
      what === "method"
        ? `is a topic: protoipc sub ${other.method.fullName}`
        : `is a method: protoipc call ${other.method.fullName}`;
    throw new CliError("INVALID_ARGUMENT", `${other.method.fullName} ${hint}`);
  }
  const known = [...new Set(wanted.map(({ method }) => method.fullName))];
  const who = address === undefined ? "no endpoint has the" : `${address} has no`;
  throw notFound(`${who} ${what} ${JSON.stringify(name)}`, nearest(name, known), silent);
}

/** A name that nobody has who told what it has. */
export function notFound(text: string, suggestions: readonly string[], silent: readonly Silent[]): CliError {
  const untold = silent.map(
    ({ address, error }) => `${address} does not tell what it has (${error.message})`,
  );
  return new CliError("NOT_FOUND", [text, ...untold].join("; "), { suggestions, isSearch: true });
}

/** Whether a name means what has this full name. */
export function endsWith(fullName: string, name: string): boolean {
  const [full, short] = [fullName.toLowerCase(), name.toLowerCase()];
  return full === short || full.endsWith(`.${short}`) || full.endsWith(`/${short}`);
}
