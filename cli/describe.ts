import { toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { fromBinary } from "@bufbuild/protobuf";
import {
  type Catalog,
  type Described,
  describeAll,
  endsWith,
  type Found,
  isTopicKind,
  itemsOf,
  notFound,
} from "./catalog.js";
import { type CommonOptions, withEndpoint } from "./endpoint.js";
import { nearest } from "./nearest.js";
import { bold, plain, plainLine, printJson, printLine } from "./output.js";
import { methodText, typesText } from "./schema-text.js";
import { placeText } from "./where.js";

/** What endpoints, services, methods and topics are, as their endpoints tell. */
export async function describe(name: string | undefined, options: CommonOptions): Promise<void> {
  await withEndpoint(options, async (endpoint) => {
    const catalog = await describeAll(endpoint, options);
    const chosen = choose(catalog, name);
    if (options.json === true) {
      printJson({
        endpoints: [...new Set(chosen.map(({ described: one }) => one!))].map((one) => jsonOf(one, chosen)),
      });
      return;
    }
    for (const { address, error } of catalog.silent)
      process.stderr.write(`${plain(`${address}: ${error.message}`)}\n`);
    if (name === undefined && chosen.length === 0)
      printLine(`no endpoint serves or publishes anything: ${await placeText(options.domain)}`);
    for (const service of new Set(chosen.map(({ service: { $typeName } }) => $typeName))) {
      const items = chosen.filter(({ service: { $typeName } }) => $typeName === service);
      printService(service, items, name !== undefined);
    }
  });
}

function choose({ described, silent }: Catalog, name: string | undefined): Found[] {
  const items = itemsOf(described);
  if (name === undefined) return items;
  const matches = (item: Found): boolean =>
    item.described!.address === name ||
    endsWith(item.method.fullName, name) ||
    endsWith(item.service.$typeName, name);
  const chosen = items.filter(matches);
  if (chosen.length > 0) return chosen;
  const known = items.flatMap(({ described: one, method, service }) => [
    one!.address,
    method.fullName,
    service.$typeName,
  ]);
  throw notFound(`nothing is called ${JSON.stringify(name)}`, nearest(name, [...new Set(known)]), silent);
}

function printService(service: string, items: readonly Found[], withTypes: boolean): void {
  const addresses = [...new Set(items.map(({ described }) => described!.address))];
  printLine(`${bold(plainLine(`service ${service}`))}  // at ${addresses.map(plainLine).join(", ")}`);
  const byName = new Map(items.map((item) => [item.method.fullName, item]));
  for (const { method, service: one } of byName.values()) {
    const desc = one.desc.methods.find(({ name }) => method.fullName.endsWith(`/${name}`))!;
    printLine(`  ${plainLine(methodText(desc, method))}`);
  }
  if (withTypes) {
    const messages = [...byName.values()].flatMap(({ method, service: one }) => {
      const desc = one.desc.methods.find(({ name }) => method.fullName.endsWith(`/${name}`))!;
      return [desc.input, desc.output];
    });
    const types = typesText(messages);
    if (types !== "") printLine(`\n${plain(types)}`);
  }
  printLine();
}

function jsonOf({ address, reply, registry }: Described, chosen: readonly Found[]): object {
  const { name, pid, implementation, incarnation, addresses, fileDescriptorSet } = reply;
  const items = chosen.filter(({ described }) => described?.address === address);
  return {
    address,
    name,
    pid,
    implementation,
    incarnation,
    addresses,
    methods: items.filter(({ method }) => !isTopicKind(method)).map(({ method }) => about(method)),
    topics: items.filter(({ method }) => isTopicKind(method)).map(({ method }) => about(method)),
    descriptors: toJson(FileDescriptorSetSchema, fromBinary(FileDescriptorSetSchema, fileDescriptorSet), {
      registry,
    }),
  };
}

function about(method: Found["method"]): object {
  const { fullName, kind, request, response, idempotency } = method;
  const rules = isTopicKind(method) ? method.rules : undefined;
  return { fullName, kind, request: request.typeName, response: response.typeName, idempotency, rules };
}
