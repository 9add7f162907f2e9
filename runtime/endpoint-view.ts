import type { Connection } from "./connection.js";
import type { AnyMethod, AnyTopic, ServiceDefinition } from "./definition.js";
import type { Host } from "./host.js";
import type { Limits } from "./limits.js";
import type { Listening } from "./listening.js";
import type { Peer } from "./peer.js";
import type { Services } from "./services.js";
import type { TopicPublisher } from "./topic/publisher.js";

/** What an endpoint shows of itself to services that come with it. */
export interface EndpointView {
  readonly name: string;
  readonly implementation: string;
  readonly pid: number;
  /** In hexadecimal. */
  readonly incarnation: string;
  readonly addresses: readonly string[];
  /** The largest message that it sends and takes. */
  readonly maxMessageBytes: number;
  readonly services: readonly ServedView[];
  readonly topics: readonly TopicView[];
  readonly links: readonly LinkView[];
}

export interface ServedView {
  readonly definition: ServiceDefinition<unknown, unknown>;
  /** Those with a handler. */
  readonly methods: readonly AnyMethod[];
}

export interface TopicView {
  readonly topic: AnyTopic;
  readonly subscribers: number;
  readonly published: number;
  readonly keys: number;
}

export interface LinkView {
  readonly peer: Peer;
  readonly isDialler: boolean;
  /** The streams of both sides. */
  readonly streams: number;
}

/** A service that every endpoint has. It is called like others, and not offered. */
export interface BuiltInService {
  readonly definition: ServiceDefinition<unknown, unknown>;
  /** Its handlers at an endpoint. */
  handlersOf(endpoint: EndpointView): object;
}

/** What an endpoint consists of. */
export interface EndpointParts {
  readonly host: Host;
  readonly limits: Limits;
  /** In hexadecimal. */
  readonly incarnation: string;
  readonly listening: Listening;
  readonly services: Services;
  readonly publishers: ReadonlySet<TopicPublisher>;
  readonly connections: ReadonlySet<Connection>;
}

/** An endpoint as it is whenever it is looked at. */
export function viewOf(parts: EndpointParts): EndpointView {
  const { host, limits, incarnation, listening, services, publishers, connections } = parts;
  return {
    implementation: host.implementation,
    pid: host.pid,
    incarnation,
    maxMessageBytes: limits.maxMessageBytes,
    get name() {
      return listening.name;
    },
    get addresses() {
      return listening.addresses;
    },
    get services() {
      return services.views;
    },
    get topics() {
      return [...publishers].map((publisher) => publisher.view);
    },
    get links() {
      return [...connections].flatMap(({ peer, session }) => {
        const isDialler = session.config.side === "dialler";
        return peer === undefined ? [] : [{ peer, isDialler, streams: session.streams.size }];
      });
    },
  };
}
