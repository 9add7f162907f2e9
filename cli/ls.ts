import { chooseDomain, chooseRoot, type Entry, listDomain } from "../transports/directory/index.js";
import { Inspect } from "../gen/protoipc/v1/inspect_protoipc.js";
import type { DescribeReply } from "../gen/protoipc/v1/inspect_pb.js";
import { type Endpoint, IpcError } from "../index.js";
import { type CommonOptions, nameOf, withEndpoint } from "./endpoint.js";
import { coloured, plainLine, printJson, printLine } from "./output.js";
import { nativeFileLock } from "./file-lock.js";
import { printTable } from "./table.js";
import { placeText } from "./where.js";

interface ListOptions extends CommonOptions {
  readonly watch?: boolean;
}

const COLOURS: Readonly<Record<Seen["state"], "red" | "green" | "yellow">> = {
  alive: "green",
  silent: "yellow",
  elsewhere: "yellow",
  dead: "red",
  refused: "red",
};

/** Who is there. Looks, and removes nothing: what is dead is shown as such. */
export async function list(options: ListOptions): Promise<void> {
  if (options.watch === true) {
    await watch(options);
    return;
  }
  const root = await chooseRoot();
  const domain = chooseDomain(options.domain);
  const listed = await listDomain(root, domain, nativeFileLock());
  await withEndpoint(options, async (endpoint) => {
    const seen = await Promise.all(
      listed.map(async (one) => {
        if (one.kind === "refused")
          return { name: one.name, state: "refused" as const, reason: one.reason.message };
        const { entry } = one;
        if (one.kind !== "alive") return { name: one.name, state: one.kind, entry };
        const told = await ask(endpoint, one.name, options.timeout);
        return told instanceof IpcError
          ? { name: one.name, state: "silent" as const, entry, reason: told.message }
          : { name: one.name, state: "alive" as const, entry, told };
      }),
    );
    if (options.json === true) {
      printJson({ root: root.path, rule: root.rule, domain, endpoints: seen.map(jsonOf) });
      return;
    }
    if (seen.length === 0) {
      printLine(`nobody is there: ${await placeText(options.domain)}`);
      return;
    }
    printTable(
      ["endpoint", "pid", "state", "over", "serves", "publishes"],
      seen.map((one) => {
        const { name, state } = one;
        const shown = coloured(state, COLOURS[state]);
        if (!("entry" in one) || one.entry === undefined)
          return [plainLine(name), "", shown, "", plainLine(one.reason ?? ""), ""];
        const { pid, transports, services } = one.entry;
        const served = services.map((service) => plainLine(service.name)).join("\n");
        return [plainLine(name), String(pid), shown, plainLine(transports.join(", ")), served, topicsOf(one)];
      }),
    );
  });
}

interface Seen {
  readonly name: string;
  /** "elsewhere": alive in another network namespace. */
  readonly state: "alive" | "silent" | "elsewhere" | "dead" | "refused";
  readonly entry?: Entry;
  readonly told?: DescribeReply;
  readonly reason?: string;
}

function topicsOf({ entry, told }: Seen): string {
  const topics = (entry?.topics ?? []).map(({ name }) => {
    const subscribers = told?.topics.find((topic) => topic.name === name)?.subscribers;
    return plainLine(subscribers === undefined ? name : `${name} (${subscribers} subscribed)`);
  });
  return topics.join("\n");
}

function jsonOf({ name, state, entry, told, reason }: Seen): object {
  const topics = entry?.topics.map((topic) => {
    const about = told?.topics.find((one) => one.name === topic.name);
    return about === undefined
      ? topic
      : { ...topic, subscribers: about.subscribers, published: Number(about.published), keys: about.keys };
  });
  const { pid, startTime, incarnation, implementation, transports, services } = entry ?? {};
  return { name, state, reason, pid, startTime, incarnation, implementation, transports, services, topics };
}

async function ask(
  endpoint: Endpoint,
  address: string,
  timeoutMs: number,
): Promise<DescribeReply | IpcError> {
  try {
    return await endpoint.client(Inspect, address).describe({ withoutSchemas: true }, { timeoutMs });
  } catch (error) {
    return IpcError.from(error);
  }
}

async function watch(options: ListOptions): Promise<void> {
  await withEndpoint(options, async (endpoint) => {
    const stop = new AbortController();
    process.once("SIGINT", () => stop.abort());
    process.once("SIGTERM", () => stop.abort());
    try {
      for await (const { kind, endpoint: found } of endpoint.watch({ signal: stop.signal })) {
        const { pid, transports, services, topics } = found;
        if (options.json === true) {
          printJson({ kind, ...found });
        } else {
          const names = [...services, ...topics].map(({ name }) => name).join(", ");
          printLine(
            plainLine(`${kind} ${nameOf(found)}, process ${pid}, over ${transports.join(", ")}: ${names}`),
          );
        }
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    }
  });
}
