import type { Scenario } from "./cases.js";
import { type Durations, type Measured, measureBatches, ofRate } from "./measure.js";
import type { SubscribingClient } from "./peers/peer.js";

/** Throws unless the message is the one with this number. */
export type CheckMessage<Message> = (message: Message, id: number, sizeBytes: number) => void;

/** The server, as the measuring process reaches it. */
export interface RemotePublisher {
  /** Has it publish so many messages with ids from 0. */
  publish(count: number): void;
  /** The CPU time that its process has used since the last `publish`, in microseconds. */
  cpuUs(): Promise<number>;
}

/** Times publishing, from the word to the server until every subscriber has the last message. */
export async function measurePublish<Message>(
  client: SubscribingClient<Message>,
  scenario: Scenario,
  durations: Durations,
  server: RemotePublisher,
  check: CheckMessage<Message>,
): Promise<Measured> {
  const arrivalOf = await subscribe(client, scenario, check);
  return measureBatches(durations, (count) => {
    const arrived = arrivalOf(count);
    server.publish(count);
    return arrived;
  });
}

/** A burst of this many, or of `MAX_BURST_BYTES`, finds room in the queues of every peer. */
const MAX_BURST_MESSAGES = 1_000;
const MAX_BURST_BYTES = 16_777_216;

/** How many messages the server publishes at once while its CPU time is measured. */
export function burstOf({ sizeBytes }: Scenario): number {
  return Math.min(MAX_BURST_MESSAGES, Math.floor(MAX_BURST_BYTES / sizeBytes));
}

/** Divides the CPU time of the server, from the word to it until every subscriber has a burst, by the messages. */
export async function measurePublishCpu<Message>(
  client: SubscribingClient<Message>,
  scenario: Scenario,
  { warmUpMs, measureMs }: Durations,
  server: RemotePublisher,
  check: CheckMessage<Message>,
): Promise<Measured> {
  const arrivalOf = await subscribe(client, scenario, check);
  const count = burstOf(scenario);
  const measureFrom = performance.now() + warmUpMs;
  let cpuUs = 0;
  let messages = 0;
  for (let before = performance.now(); before < measureFrom + measureMs || messages === 0; ) {
    const arrived = arrivalOf(count);
    server.publish(count);
    await arrived;
    const burstUs = await server.cpuUs();
    if (before >= measureFrom) {
      cpuUs += burstUs;
      messages += count;
    }
    before = performance.now();
  }
  return ofRate((cpuUs * 1_000) / messages);
}

/** Subscribes as often as the scenario says. What it returns begins a batch, and resolves when all have all of it. */
async function subscribe<Message>(
  client: SubscribingClient<Message>,
  { sizeBytes, subscribers }: Scenario,
  check: CheckMessage<Message>,
): Promise<(count: number) => Promise<void>> {
  const nextIds = new Array<number>(subscribers ?? 1).fill(0);
  let batch: { readonly count: number; waiting: number; readonly done: () => void } | undefined;
  await client.subscribe((subscriber, message) => {
    const id = nextIds[subscriber] ?? 0;
    check(message, id, sizeBytes);
    nextIds[subscriber] = id + 1;
    if (batch !== undefined && id + 1 === batch.count && --batch.waiting === 0) batch.done();
  });
  return (count) => {
    nextIds.fill(0);
    return new Promise((resolve) => {
      batch = { count, waiting: nextIds.length, done: resolve };
    });
  };
}
