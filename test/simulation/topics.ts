import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import type {
  Endpoint,
  KeyedPublisher,
  Publication,
  PublishResult,
  Subscription,
  UnkeyedPublisher,
} from "../../runtime/api.js";
import { isIpcError } from "../../runtime/error.js";
import type { Random } from "./random.js";
import type { TopicName, TopicPlan } from "./scenario.js";
import { bodyOf, problemOf } from "./text.js";
import { keyText, type TopicAccount } from "./topic-account.js";
import type { World } from "./world.js";

/** What the two kinds of publishers have in common, with the key in front in both. */
interface AnyPublisher {
  publish(key: SimKey, message: SimMessage): PublishResult;
  publishWhenReady(key: SimKey, message: SimMessage): Promise<PublishResult>;
  drained(): Promise<void>;
  close(): Promise<void>;
}

interface SimKey {
  readonly name: string;
  readonly shard: number;
}

interface SimMessage {
  readonly text: string;
  readonly number: number;
  readonly body: Uint8Array;
}

/** A topic that is published in a run: how many publications of each key there have been. */
export interface PublishedTopic {
  readonly plan: TopicPlan;
  readonly fullName: string;
  readonly publisher: AnyPublisher;
  /** The newest number of each key. */
  readonly seqs: Map<string, number>;
  isDone: boolean;
}

/** One subscription of a run. */
export interface SimSubscription {
  readonly id: string;
  /** It is read by `forEach`, and not by a loop. */
  readonly isHanded: boolean;
  readonly topic: TopicName;
  readonly filter: { readonly name?: string; readonly shard?: number };
  readonly subscription: Subscription<unknown, unknown> & {
    readonly received: number;
    readonly lost: number;
  };
  /** How it ended; `undefined` while it has not. */
  ended: "well" | "left" | { readonly error: unknown } | undefined;
  /** What has reached it since the publisher took it on; `undefined` where it has not. */
  account: TopicAccount | undefined;
  /** How many messages were read. */
  read: number;
  /** How many messages of each key were read. */
  readonly readOf: Map<string, number>;
}

/** Opens a publisher of the topic with the plan's rules. */
export async function openTopic(endpoint: Endpoint, plan: TopicPlan): Promise<PublishedTopic> {
  const { name, rules } = plan;
  const topic = name === "plain" ? Echo.plain : Echo[name];
  const publisher =
    topic.kind === "topic"
      ? ((await endpoint.publisher({ ...topic, rules })) as KeyedPublisher<SimKey, SimMessage>)
      : withoutKey(await endpoint.publisher({ ...topic, rules }));
  return { plan, fullName: topic.fullName, publisher, seqs: new Map(), isDone: false };
}

function withoutKey(publisher: UnkeyedPublisher<SimMessage>): AnyPublisher {
  return {
    publish: (_key, message) => publisher.publish(message),
    publishWhenReady: (_key, message) => publisher.publishWhenReady(message),
    drained: () => publisher.drained(),
    close: () => publisher.close(),
  };
}

/** Publishes all that the plan says, in bursts. */
export async function publishAll(
  world: World,
  random: Random,
  topic: PublishedTopic,
  maxBodyBytes: number,
): Promise<void> {
  const { plan, publisher } = topic;
  try {
    for (let i = 0; i < plan.publications; i++) {
      if (i % plan.burst === 0) await world.sleep(random.int(0, 60));
      const key =
        plan.name === "plain"
          ? { name: "", shard: 0 }
          : { name: `k${random.int(1, plan.keys)}`, shard: i % 2 };
      const name = keyText(key);
      const message = { text: name, number: i, body: bodyOf(name, i, random.int(0, maxBodyBytes)) };
      const before = topic.seqs.get(name) ?? 0;
      if (!plan.waits) {
        const result = publisher.publish(key, message);
        topic.seqs.set(name, before + 1);
        checkResult(world, topic, before + 1, result);
        if (plan.drains && result.queued > 0) await publisher.drained();
      } else {
        const result = await publisher.publishWhenReady(key, message);
        topic.seqs.set(name, result.seq);
        checkResult(world, topic, before + 1, result);
      }
    }
  } catch (error) {
    world.log(`${plan.name} stops publishing: ${String(error)}`);
    if (!isIpcError(error)) world.report(`publishing failed with what is no IpcError: ${String(error)}`);
  }
  topic.isDone = true;
}

function checkResult(world: World, { plan }: PublishedTopic, seq: number, result: PublishResult): void {
  const { matched, sent, queued, dropped } = result;
  world.log(
    `${plan.name} publishes ${result.seq}: ${matched} matched, ${sent} sent, ${queued} queued, ${dropped} dropped`,
  );
  if (result.seq !== seq) world.report(`a publication of ${plan.name} has number ${result.seq}, not ${seq}`);
  // With "dropOldest" a publication that is queued may count as dropped too, for the one that it drove out.
  const least = sent + queued + (plan.rules.overflow === "dropOldest" ? 0 : dropped);
  const isSum = least <= matched && matched <= sent + queued + dropped;
  if (!isSum)
    world.report(`${plan.name}: ${matched} matched, ${sent} sent, ${queued} queued, ${dropped} dropped`);
}

/** Subscribes. */
export function subscribe(
  random: Random,
  endpoint: Endpoint,
  from: string,
  name: TopicName,
  index: number,
  filterChance: number,
): SimSubscription {
  const filter: { name?: string; shard?: number } = {};
  if (name !== "plain" && random.chance(filterChance)) filter.name = `k${random.int(1, 4)}`;
  if (name !== "plain" && random.chance(filterChance / 2)) filter.shard = random.int(0, 1);
  const subscription =
    name === "plain"
      ? endpoint.subscribe(Echo.plain, { from })
      : endpoint.subscribe(Echo[name], filter, { from });
  return {
    id: `subscription-${index}`,
    isHanded: index % 2 === 1,
    topic: name,
    filter,
    subscription: subscription as SimSubscription["subscription"],
    ended: undefined,
    account: undefined,
    read: 0,
    readOf: new Map(),
  };
}

/** What a reader throws that wants no more. */
const ENOUGH = new Error("enough");

/** Reads to the end, or as long as it wants to. */
export async function readSubscription(
  world: World,
  sim: SimSubscription,
  readDelayMs: number,
  breakAfter: number | undefined,
  isCorrupted: () => boolean,
): Promise<void> {
  const seqs = new Map<string, number>();
  let isReading = false;
  const take = ({ key, message, seq, lost }: Publication<unknown, unknown>): void => {
    if (isReading) world.report(`${sim.id} is handed number ${seq} while it reads another one`);
    sim.read++;
    const name = key === undefined ? "/0" : keyText(key as SimKey);
    const item = message as SimMessage;
    world.log(`${sim.id} reads ${sim.topic} ${name} ${seq}, ${lost} lost`);
    const problem = problemOf(item, name, item.number);
    const before = seqs.get(name) ?? sim.account?.startOf?.(name);
    seqs.set(name, seq);
    sim.readOf.set(name, (sim.readOf.get(name) ?? 0) + 1);
    if (isCorrupted()) return;
    if (problem !== undefined) world.report(`${sim.id}: ${problem}`);
    if (before !== undefined && seq !== before + lost + 1) {
      world.report(`${sim.id} reads number ${seq} of ${name} after ${before}, with ${lost} lost`);
    }
  };
  const takeAtOnce = (publication: Publication<unknown, unknown>): void => {
    take(publication);
    if (sim.read === breakAfter) throw ENOUGH;
  };
  const takeSlowly = async (publication: Publication<unknown, unknown>): Promise<void> => {
    takeAtOnce(publication);
    isReading = true;
    await world.sleep(readDelayMs);
    isReading = false;
  };
  try {
    if (sim.isHanded) await sim.subscription.forEach(readDelayMs > 0 ? takeSlowly : takeAtOnce);
    else
      for await (const publication of sim.subscription) {
        if (readDelayMs > 0) await takeSlowly(publication);
        else takeAtOnce(publication);
      }
    sim.ended = "well";
  } catch (error) {
    sim.ended = error === ENOUGH ? "left" : { error };
    if (error !== ENOUGH && !isIpcError(error))
      world.report(`${sim.id} failed with what is no IpcError: ${String(error)}`);
  }
  world.log(`${sim.id} ends: ${typeof sim.ended === "object" ? String(sim.ended.error) : sim.ended}`);
}

/** The publisher takes the subscription on: of each key, all from now on is due, and what is in history. */
export function joinTopic(sim: SimSubscription, topic: PublishedTopic, account: TopicAccount): void {
  const joined = new Map(topic.seqs);
  account.startOf = (key) => Math.max(0, (joined.get(key) ?? 0) - topic.plan.rules.history);
  sim.account = account;
}

/** The newest number of each key that the subscription asks for: up to it, all must have come or be reported. */
export function dueTo(sim: SimSubscription, topic: PublishedTopic): ReadonlyMap<string, number> {
  return new Map([...topic.seqs].filter(([key]) => isWanted(sim, key)));
}

function isWanted({ topic, filter }: SimSubscription, key: string): boolean {
  if (topic === "plain") return true;
  const [name, shard] = key.split("/");
  return (
    (filter.name === undefined || filter.name === name) &&
    (filter.shard === undefined || String(filter.shard) === shard)
  );
}
