import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { Endpoint, Peer, Publication, Subscription } from "protoipc";
import {
  CoreSampleSchema,
  DiskSampleSchema,
  InterfaceSampleSchema,
  LoadSampleSchema,
  MemorySampleSchema,
} from "../../gen/hostwatch/v1/hostwatch_pb.js";
import { Hostwatch } from "../../gen/hostwatch/v1/hostwatch_protoipc.js";
import type { View } from "./view/view.js";

/** The viewer's subscriptions, all topics of the daemon. */
export interface Topics {
  /** Resolves when every subscription is confirmed. */
  readonly ready: Promise<void>;
  /** Resolves when every subscription has ended, well or by the signal. Rejects when one failed. */
  readonly ended: Promise<void>;
  /** Publications received so far. */
  samples(): number;
  /** Publications reported as lost so far. */
  lost(): number;
  /** The encoded messages of the publications received so far, without their keys and frames. */
  bytes(): number;
}

/** Subscribes to every topic of the daemon, whole, and keeps the view up to date. */
export function followTopics(endpoint: Endpoint, daemon: Peer, view: View, signal: AbortSignal): Topics {
  const options = { from: daemon, signal };
  const cores = endpoint.subscribe(Hostwatch.cores, {}, options);
  const interfaces = endpoint.subscribe(Hostwatch.interfaces, {}, options);
  const disks = endpoint.subscribe(Hostwatch.disks, {}, options);
  const memory = endpoint.subscribe(Hostwatch.memory, options);
  const load = endpoint.subscribe(Hostwatch.load, options);
  const all = [cores, interfaces, disks, memory, load];

  let bytes = 0;
  async function follow<K, Desc extends DescMessage>(
    subscription: Subscription<K, MessageShape<Desc>>,
    schema: Desc,
    show: (publication: Publication<K, MessageShape<Desc>>) => void,
  ): Promise<void> {
    try {
      for await (const publication of subscription) {
        bytes += toBinary(schema, publication.message).length;
        show(publication);
      }
    } catch (error) {
      // Whoever aborts the signal wants no more; how the subscription puts that does not matter.
      if (!signal.aborted) throw error;
    }
  }

  const ended = Promise.all([
    follow(cores, CoreSampleSchema, ({ key, message }) => view.cores.set(key.core ?? 0, message)),
    follow(interfaces, InterfaceSampleSchema, ({ key, message }) =>
      view.interfaces.set(key.name ?? "", message),
    ),
    follow(disks, DiskSampleSchema, ({ key, message }) => view.disks.set(key.device ?? "", message)),
    follow(memory, MemorySampleSchema, ({ message }) => {
      view.memory = message;
    }),
    follow(load, LoadSampleSchema, ({ message }) => {
      view.load = message;
    }),
  ]);
  return {
    ready: Promise.all(all.map((subscription) => subscription.ready())).then(() => undefined),
    ended: ended.then(() => undefined),
    samples: () => all.reduce((sum, subscription) => sum + subscription.received, 0),
    lost: () => all.reduce((sum, subscription) => sum + subscription.lost, 0),
    bytes: () => bytes,
  };
}
