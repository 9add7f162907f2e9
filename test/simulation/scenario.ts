import type { Overflow, TopicRules } from "../../runtime/definition.js";
import { DEFAULT_LIMITS, type Limits } from "../../runtime/limits.js";
import type { Faults } from "./link.js";
import type { Random } from "./random.js";

/** What a run is made of. Each seed leaves out most faults and kinds of work, so that rare mixtures occur too. */
export interface Scenario {
  readonly clients: number;
  readonly serverLimits: Limits;
  readonly clientLimits: Limits;
  /** Those of the first client, where they are others. */
  readonly firstClientLimits: Limits | undefined;
  /** Payloads above this go in parts. */
  readonly fragmentBytes: number;
  readonly sharesClock: boolean;
  readonly faults: FaultRates;
  /** Nothing is cut, corrupted or closed early: every call that can end must end by itself. */
  readonly isBenign: boolean;
  readonly calls: number;
  readonly callKinds: readonly CallKind[];
  readonly maxBodyBytes: number;
  readonly cancelChance: number;
  readonly deadlineChance: number;
  readonly failChance: number;
  readonly maxHandlerDelayMs: number;
  readonly maxReadDelayMs: number;
  readonly topics: readonly TopicPlan[];
  readonly subscriptions: number;
  /** Each client subscribes to the same topic from the beginning, mostly to all of it. */
  readonly isCrowd: boolean;
  /** When an endpoint closes while others work: the server, or the first client. */
  readonly earlyClose: { readonly who: "server" | "client"; readonly atMs: number } | undefined;
  readonly drainTimeoutMs: number;
  /** Large payloads go in blocks, while there is room for them and the other end does not hold too many. */
  readonly blocks:
    | { readonly minBytes: number; readonly maxBytes: number; readonly maxHeldBlocks: number }
    | undefined;
}

export type CallKind = "say" | "count" | "sum" | "chat" | "note";
export const TOPIC_NAMES = [
  "keyed",
  "plain",
  "blocking",
  "dropNewest",
  "disconnecting",
  "latest",
  "history",
] as const;
export type TopicName = (typeof TOPIC_NAMES)[number];

export interface TopicPlan {
  readonly name: TopicName;
  readonly rules: TopicRules;
  readonly publications: number;
  readonly keys: number;
  readonly burst: number;
  readonly waits: boolean;
  /** Else: whether the publisher waits behind a publication that is queued. */
  readonly drains: boolean;
}

export interface FaultRates {
  readonly maxDelayMs: number;
  readonly splitChance: number;
  readonly stallChance: number;
  readonly cutChance: number;
  readonly corruptChance: number;
}

const OVERFLOWS: readonly [Overflow, ...Overflow[]] = ["dropOldest", "dropNewest", "block", "disconnect"];
const CALL_KINDS: readonly CallKind[] = ["say", "count", "sum", "chat", "note"];

/** Draws a scenario. */
export function drawScenario(random: Random): Scenario {
  const isRough = random.chance(0.4);
  const faults: FaultRates = {
    maxDelayMs: random.chance(0.3) ? 0 : random.pick([1, 5, 50]),
    splitChance: random.chance(0.5) ? 0 : random.pick([0.1, 0.5, 0.9]),
    stallChance: random.chance(0.7) ? 0 : 0.5,
    cutChance: isRough && random.chance(0.6) ? 0.6 : 0,
    corruptChance: isRough && random.chance(0.4) ? 0.5 : 0,
  };
  const closesEarly = isRough && random.chance(0.4);
  const kinds = CALL_KINDS.filter(() => random.chance(0.6));
  const topics = random.chance(0.45) ? [] : TOPIC_NAMES.filter(() => random.chance(0.3));
  const hasTopics = topics.length > 0;
  const fragmentBytes = random.chance(0.4) ? Number.POSITIVE_INFINITY : random.pick([16, 100, 1_000, 9_000]);
  const scenario: Scenario = {
    clients: random.int(1, 2),
    serverLimits: drawLimits(random, hasTopics),
    clientLimits: drawLimits(random, false),
    firstClientLimits: undefined,
    fragmentBytes,
    sharesClock: random.chance(0.7),
    faults,
    isBenign: faults.cutChance === 0 && faults.corruptChance === 0 && !closesEarly,
    calls: hasTopics && random.chance(0.3) ? 0 : random.int(2, 25),
    callKinds: kinds.length === 0 ? ["say"] : kinds,
    maxBodyBytes: random.pick([0, 50, 900, 3_000, fragmentBytes < 1_000 ? 3_000 : 40_000]),
    cancelChance: random.chance(0.5) ? 0 : random.pick([0.1, 0.5]),
    deadlineChance: random.chance(0.5) ? 0 : random.pick([0.1, 0.6]),
    failChance: random.chance(0.6) ? 0 : 0.3,
    maxHandlerDelayMs: random.pick([0, 5, 100]),
    maxReadDelayMs: random.pick([0, 0, 5, 50]),
    topics: topics.map((name) => drawTopic(random, name)),
    subscriptions: hasTopics ? random.int(1, 4) : 0,
    isCrowd: false,
    earlyClose: closesEarly
      ? { who: random.pick(["server", "client"]), atMs: random.int(1, 400) }
      : undefined,
    drainTimeoutMs: random.pick([50, 1_000, 5_000]),
    blocks: random.chance(0.5)
      ? undefined
      : {
          minBytes: random.pick([1, 40, 500]),
          maxBytes: random.pick([100, 5_000, 1_000_000]),
          maxHeldBlocks: random.pick([1, 3, 1_000]),
        },
  };
  return hasTopics && random.chance(0.4) ? crowded(random, scenario) : scenario;
}

/** Several clients subscribe to one topic, so that publications go to many links at once. */
function crowded(random: Random, scenario: Scenario): Scenario {
  const clients = random.int(2, 4);
  const clientLimits = random.chance(0.8) ? DEFAULT_LIMITS : scenario.clientLimits;
  // The budget of a link is one for all.
  const { streamBudgetBytes } = clientLimits;
  return {
    ...scenario,
    isCrowd: true,
    clients,
    clientLimits,
    firstClientLimits: random.chance(0.5) ? { ...drawLimits(random, false), streamBudgetBytes } : undefined,
    // Two subscriptions of one client share a link, which is another case.
    subscriptions: clients + (random.chance(0.2) ? 1 : 0),
    topics: scenario.topics.slice(0, 1).map((plan) => ({ ...plan, burst: random.int(2, 20) })),
    maxBodyBytes: random.pick([0, 50, 900]),
    blocks: random.chance(0.8) ? undefined : scenario.blocks,
  };
}

function drawTopic(random: Random, name: TopicName): TopicPlan {
  const depth = random.pick([1, 2, 5, 64]);
  return {
    name,
    rules: {
      depth,
      overflow: random.pick(OVERFLOWS),
      blockTimeoutMs: random.pick([1, 20, 1_000]),
      history: random.chance(0.5) ? 0 : random.int(1, depth),
    },
    publications: random.int(1, 40),
    keys: name === "plain" ? 1 : random.int(1, 4),
    burst: random.int(1, 12),
    waits: random.chance(0.3),
    drains: random.chance(0.3),
  };
}

/** Subscriptions hold their slots and their filters' bytes for as long as they live: some are left for calls. */
function drawLimits(random: Random, hasTopics: boolean): Limits {
  const small = (...choices: [number, ...number[]]): number => random.pick(choices);
  const isTight = random.chance(0.6);
  if (!isTight) return { ...DEFAULT_LIMITS, frameTimeoutMs: 1_000 };
  return {
    ...DEFAULT_LIMITS,
    maxMessageBytes: small(1_024, 8_192, 65_536),
    maxCalls: small(1, 2, 5, 100) + (hasTopics ? 4 : 0),
    callBytes: small(1, 100, 5_000) + (hasTopics ? 100 : 0),
    initialMessages: small(1, 2, 16),
    initialBytes: small(1, 200, 16_384),
    windowMessages: small(1, 3, 64),
    windowBytes: small(1, 300, 20_000),
    streamBudgetBytes: small(1, 500, 50_000),
    oneWayMessages: small(1, 3, 50),
    oneWayBytes: small(1, 200, 5_000),
    maxMethods: small(1, 3, 100),
    sendBufferBytes: small(1, 64, 1_000, 10_000),
    maxPendingResponseBytes: small(1, 500, 50_000),
  };
}

/** Draws what goes wrong in one direction of one link. */
export function drawFaults(random: Random, rates: FaultRates): Faults {
  const never = Number.POSITIVE_INFINITY;
  return {
    maxDelayMs: rates.maxDelayMs,
    splitChance: rates.splitChance,
    stallAtByte: random.chance(rates.stallChance) ? random.int(0, 3_000) : never,
    stallMs: random.pick([10, 300, 3_000]),
    cutAtByte: random.chance(rates.cutChance) ? random.int(0, 4_000) : never,
    corruptAtByte: random.chance(rates.corruptChance) ? random.int(0, 3_000) : never,
    corruptMask: 1 << random.int(0, 7),
  };
}
