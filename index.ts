/**
 * What programs import: `open`, which makes an endpoint, and the types of all that hangs off it. Composes the runtime
 * with what Node and its transports give it; nothing else happens here.
 *
 * @module protoipc
 */
import { Code, loadBinding } from "./bindings/node/binding.js";
import { chosenTransports } from "./platform/chosen-transports.js";
import { inspectService } from "./inspect/inspect-service.js";
import { directoryNames } from "./platform/directory-names.js";
import { nodeSpawner } from "./platform/node-spawner.js";
import { nodeHost } from "./platform/node-host.js";
import type { Endpoint } from "./runtime/api.js";
import { openEndpoint, type Surroundings } from "./runtime/endpoint.js";
import { checkOpenOptions, type OpenOptions } from "./runtime/open-options.js";
import { closingRecord } from "./runtime/session/closing-record.js";
import { fromTransportError } from "./runtime/transport-errors.js";
import { fileLockBy } from "./transports/directory/index.js";
import { memoryTransport } from "./transports/memory/index.js";
import { makeFifosBy, mkfifoProgram, NO_MKFIFO, pipeTransport } from "./transports/pipe/index.js";
import { shmTransport } from "./transports/shm/index.js";
import { credentialsBy, unixTransport } from "./transports/unix/index.js";

/**
 * Opens an endpoint: with a name it listens, without one it only dials. Rejects with `IpcError`: ALREADY_EXISTS, naming
 * the owner's pid, when another endpoint has the name; INVALID_ARGUMENT for a name that cannot be; PERMISSION_DENIED
 * when the directory of names cannot be trusted. Throws a `TypeError` for an option that there is not.
 */
export async function open(options: OpenOptions = {}): Promise<Endpoint> {
  checkOpenOptions(options);
  try {
    return await openEndpoint(options, surroundings(options));
  } catch (error) {
    if (error instanceof TypeError) throw error;
    throw fromTransportError(error);
  }
}

const builtIn = [inspectService];

const NOT_ON_WINDOWS = {
  shm: "shared memory is not built for Windows",
  unix: "Node has no Unix sockets on Windows",
};

/** What there is beside the runtime. Without native code there is no shared memory, and all else. */
function surroundings({ domain, waiting }: OpenOptions): Surroundings {
  const host = nodeHost();
  const loaded = loadBinding();
  const spawner = nodeSpawner({ closingRecord });
  if (process.platform === "win32") {
    const missing = NOT_ON_WINDOWS;
    const transports = chosenTransports([pipeTransport({ closingRecord })], missing);
    const names = directoryNames({ domain, implementation: host.implementation });
    return { host, transports: [...transports, memoryTransport()], missing, names, builtIn, spawner };
  }
  if (loaded.binding === undefined) {
    const makeFifos = mkfifoProgram();
    const unix = unixTransport({ closingRecord });
    const pipe = makeFifos && pipeTransport({ closingRecord, makeFifos });
    const missing = { shm: loaded.reason, ...(pipe === undefined ? { pipe: NO_MKFIFO } : {}) };
    const transports = chosenTransports(pipe === undefined ? [unix] : [unix, pipe], missing);
    const names = directoryNames({ domain, implementation: host.implementation });
    return { host, transports: [...transports, memoryTransport()], missing, names, builtIn, spawner };
  }
  const { binding } = loaded;
  const credentialsOf = credentialsBy((fd) => binding.socketPeer(fd));
  const shm = shmTransport({ binding, waiting, closingRecord });
  const unix = unixTransport({ closingRecord, credentialsOf });
  const pipe = pipeTransport({ closingRecord, makeFifos: makeFifosBy((path) => binding.mkfifo(path)) });
  const fileLock = fileLockBy((fd) => binding.lock(fd) !== Code.EINUSE);
  const transports = [...chosenTransports([shm, unix, pipe], {}), memoryTransport()];
  const names = directoryNames({ domain, implementation: host.implementation, fileLock });
  const kernelSpawner = nodeSpawner({ closingRecord, credentialsOf });
  return { host, transports, names, builtIn, spawner: kernelSpawner };
}

// What users hold.
export type {
  BlockingCall,
  BlockingCallOptions,
  BorrowedPublication,
  BorrowingCall,
  BytesFieldOf,
  ClientOptions,
  Counters,
  EachResponseCall,
  Endpoint,
  EndpointChange,
  EndpointChanges,
  EndpointEvents,
  FieldLoan,
  FieldLoanOptions,
  FieldUse,
  IsUnary,
  LatestValue,
  PlainKey,
  PublisherEvent,
  KeyedPublisher,
  Loan,
  Publication,
  PublisherOf,
  UnaryCalls,
  PublishOptions,
  PublishResult,
  DrainedOptions,
  ReadyOptions,
  ReceiveOptions,
  ServeOptions,
  ServiceClient,
  StreamCalls,
  SubscribeOptions,
  Subscription,
  SubscriptionReadyOptions,
  Target,
  UnkeyedPublisher,
  ViewOptions,
  WithoutField,
  WriterLoan,
  WriterLoanOptions,
  WriterOf,
} from "./runtime/api.js";
export type { BackOffPolicy } from "./runtime/back-off.js";
export type {
  Child,
  ChildEvents,
  ChildState,
  RestartPolicy,
  SpawnOptions,
} from "./runtime/children/child-api.js";
export type { ProcessEnd } from "./runtime/children/spawner.js";
export type { CallContext } from "./runtime/call-context.js";
export type { CallOptions } from "./runtime/call-options.js";
export { CODES, type Code } from "./runtime/code.js";
export { type ErrorDetail, IpcError, type IpcErrorOptions, isIpcError } from "./runtime/error.js";
export { errorDetail } from "./runtime/error-detail.js";
export { DEFAULT_LIMITS, type Limits } from "./runtime/limits.js";
export { Metadata, type MetadataInit, type MetadataValue } from "./runtime/metadata.js";
export type { FoundEndpoint, OfferedItem } from "./runtime/names.js";
export type { OpenOptions } from "./runtime/open-options.js";
export type { Peer } from "./runtime/peer.js";
export { VERSION } from "./platform/version.js";

// What generated classes are that read and write messages in place.
export type { MessageView, ViewType } from "./runtime/codec/inplace/view.js";
export type { MessageWriter, WriterType } from "./runtime/codec/inplace/writer.js";

// For authors of interceptors and codecs.
export type { BytesField, Codec } from "./runtime/codec/codec.js";
export { protobufEs } from "./runtime/codec/protobuf-es.js";
export { tsProto } from "./runtime/codec/ts-proto.js";
export type { TsProtoMessageFns } from "./runtime/codec/ts-proto.js";
export type {
  AnyMethod,
  AnyTopic,
  BidiStreamingMethod,
  ClientStreamingMethod,
  Idempotency,
  KeyedTopic,
  OneWayMethod,
  Overflow,
  ServerStreamingMethod,
  ServiceDefinition,
  ServiceSchema,
  TopicRules,
  UnaryMethod,
  UnkeyedTopic,
} from "./runtime/definition.js";
export type {
  InterceptedCall,
  InterceptedRequest,
  InterceptedResponse,
  Interceptor,
  Messages,
} from "./runtime/interceptor.js";
export type { LinkInfo, PeerCredentials } from "./transports/transport.js";
