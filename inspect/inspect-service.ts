import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Inspect, type InspectHandlers } from "../gen/protoipc/v1/inspect_protoipc.js";
import type { AnyTopic, ServiceSchema } from "../runtime/definition.js";
import type { BuiltInService, EndpointView } from "../runtime/endpoint-view.js";
import { IpcError } from "../runtime/error.js";

/** What beside the schemas is in a reply, at the most. */
const REST_BYTES = 65_536;

/** What an endpoint tells of itself to whoever asks: `proto/protoipc/v1/inspect.proto`. */
export const inspectService: BuiltInService = { definition: Inspect, handlersOf };

function handlersOf(endpoint: EndpointView): InspectHandlers {
  return {
    describe({ names, withoutSchemas }) {
      const { name, implementation, pid, incarnation, addresses, services, topics } = endpoint;
      return {
        name,
        implementation,
        pid,
        incarnation,
        addresses: [...addresses],
        services: services.map(({ definition, methods }) => ({
          name: definition.$typeName,
          fingerprint: definition.$schema?.fingerprint ?? "",
          methods: methods.map(({ fullName }) => fullName),
        })),
        topics: topics.map(({ topic, subscribers, published, keys }) => ({
          name: topic.fullName,
          fingerprint: topic.fingerprint ?? "",
          subscribers,
          published: BigInt(published),
          keys,
        })),
        fileDescriptorSet: withoutSchemas ? new Uint8Array(0) : schemasOf(endpoint, names),
      };
    },
    links() {
      return {
        links: endpoint.links.map(({ peer, isDialler, streams }) => ({
          peerName: peer.name,
          peerIncarnation: peer.incarnation,
          peerPid: peer.pid,
          transport: peer.link.transport,
          reason: peer.link.reason,
          dialled: isDialler,
          streams,
        })),
      };
    },
    ping: ({ payload }) => ({ payload }),
  };
}

/** The files of what was asked for, each once and behind what it imports. */
function schemasOf(
  { services, topics, maxMessageBytes }: EndpointView,
  names: readonly string[],
): Uint8Array {
  const isWanted = (name: string): boolean => names.length === 0 || names.includes(name);
  const schemas = new Set<ServiceSchema>();
  for (const { definition } of services) {
    if (definition.$schema !== undefined && isWanted(definition.$typeName)) schemas.add(definition.$schema);
  }
  for (const { topic } of topics) {
    if (topic.schema !== undefined && (isWanted(topic.fullName) || isWanted(serviceOf(topic))))
      schemas.add(topic.schema);
  }
  const files = new Map<string, FileDescriptorProto>();
  for (const schema of schemas) {
    for (const file of fromBinary(FileDescriptorSetSchema, schema.files()).file) {
      if (!files.has(file.name)) files.set(file.name, file);
    }
  }
  const set = toBinary(
    FileDescriptorSetSchema,
    create(FileDescriptorSetSchema, { file: [...files.values()] }),
  );
  const limit = maxMessageBytes - REST_BYTES;
  if (set.length > limit) {
    const text = `the schemas have ${set.length} bytes, above the limit of ${limit} bytes (maxMessageBytes); ask for some by name`;
    throw new IpcError("RESOURCE_EXHAUSTED", text);
  }
  return set;
}

function serviceOf({ fullName }: AnyTopic): string {
  return fullName.slice(0, fullName.lastIndexOf("/"));
}
