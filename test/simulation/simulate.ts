import { openEndpoint } from "../../runtime/endpoint.js";
import type { Endpoint } from "../../runtime/api.js";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import type { Limits } from "../../runtime/limits.js";
import type { Names } from "../../runtime/names.js";
import type { Call } from "./calls.js";
import { drawCalls } from "./calls.js";
import { makeCall } from "./callers.js";
import { type HandlerSite, type Running, simHandlers } from "./handlers.js";
import { type SimHost, simHost } from "./host.js";
import { Links } from "./links.js";
import { TopicSource } from "../../runtime/topic/source.js";
import { checkAtRest, checkOutcomes, checkResidue, checkSubscriptions } from "./outcomes.js";
import { Random } from "./random.js";
import { drawScenario, type Scenario } from "./scenario.js";
import {
  joinTopic,
  openTopic,
  type PublishedTopic,
  publishAll,
  readSubscription,
  type SimSubscription,
  subscribe,
} from "./topics.js";
import { simTransport } from "./transport.js";
import { World } from "./world.js";

/** What one run came to. */
export interface Outcome {
  readonly seed: number;
  /** What was broken; empty where all is well. */
  readonly violations: readonly string[];
  /** Equal for equal runs. */
  readonly hash: number;
  readonly events: number;
  readonly calls: number;
  readonly trace: readonly string[];
  readonly scenario: Scenario;
}

/** Everything of one run. */
export interface Run {
  readonly world: World;
  readonly scenario: Scenario;
  readonly links: Links;
  readonly hosts: readonly SimHost[];
  readonly server: Endpoint;
  readonly clients: readonly Endpoint[];
  readonly calls: readonly Call[];
  readonly running: ReadonlySet<Running>;
  readonly topics: PublishedTopic[];
  readonly subscriptions: SimSubscription[];
}

const SERVER = "sim:/server";
/** After so long every call with an end in itself has ended, whatever delays there were. */
const LONG_MS = 3_600_000;

const NAMES: Names = {
  domain: "sim",
  claim: () => Promise.reject(new Error("no names are taken here")),
  locate: () => Promise.reject(new Error("no names are known here")),
};

/** Runs one seed. All that happens follows from it. */
export async function simulate(seed: number, keepsTrace = false): Promise<Outcome> {
  const world = new World(keepsTrace);
  const onUnhandled = (reason: unknown): void => world.report(`an unhandled rejection: ${String(reason)}`);
  process.on("unhandledRejection", onUnhandled);
  try {
    const run = await prepare(world, new Random(seed));
    await perform(run);
    const { scenario, calls } = run;
    const { violations, hash, events, trace = [] } = world;
    return { seed, violations, hash, events, calls: calls.length, trace, scenario };
  } finally {
    process.off("unhandledRejection", onUnhandled);
  }
}

async function prepare(world: World, random: Random): Promise<Run> {
  const scenario = drawScenario(random.fork());
  const links = new Links(world, random.fork(), scenario);
  const transport = simTransport(world, links.blocks?.store, (path, dialler, acceptor) =>
    links.make(path, dialler, acceptor),
  );
  const calls = drawCalls(random.fork(), scenario);
  const byId = new Map(calls.map((call) => [call.id, call]));
  const running = new Set<Running>();
  const hosts: SimHost[] = [];
  const open = async (limits: Limits, listen: readonly string[]): Promise<Endpoint> => {
    const bootId = scenario.sharesClock ? "boot" : "";
    const host = simHost(world, random.fork(), 100 + hosts.length, random.int(0, 5_000), bootId);
    hosts.push(host);
    const options = { limits, listen, drainTimeoutMs: scenario.drainTimeoutMs, discoverable: false };
    const endpoint = await openEndpoint(options, { host, transports: [transport], names: NAMES });
    const site: HandlerSite = { world, host, calls: byId, running, isCorrupted: () => links.isCorrupted };
    endpoint.serve(Echo, simHandlers(site));
    endpoint.on("handlerFailed", (error) => world.log(`a handler failed: ${error.rawMessage}`));
    return endpoint;
  };
  const server = await open(scenario.serverLimits, [SERVER]);
  const clients: Endpoint[] = [];
  for (let i = 0; i < scenario.clients; i++) {
    const own = i === 0 ? scenario.firstClientLimits : undefined;
    clients.push(await open(own ?? scenario.clientLimits, []));
  }
  const topics: PublishedTopic[] = [];
  for (const plan of scenario.topics) topics.push(await openTopic(server, plan));
  const subscriptions: SimSubscription[] = [];
  links.onJoined = (user, fullName, account) => {
    const sim = subscriptions.find((other) => other.subscription === ownerOf(user));
    const topic = topics.find((other) => other.fullName === fullName);
    if (sim !== undefined && topic !== undefined) joinTopic(sim, topic, account);
  };
  const run = { world, scenario, links, hosts, server, clients, calls, running, topics, subscriptions };
  planWork(run, random.fork());
  return run;
}

/** Puts all that will be done into the world's list. */
function planWork(run: Run, random: Random): void {
  const { world, scenario, links, server, clients, calls, topics, subscriptions } = run;
  const isCorrupted = (): boolean => links.isCorrupted;
  for (const call of calls) {
    const endpoint = clients[call.clientIndex]!;
    world.after(call.startMs, () => {
      // A client is called back on the link that it made; without one, it calls itself.
      const back = call.isReverse ? server.connectedPeers[call.clientIndex] : undefined;
      const client =
        back === undefined
          ? endpoint.client(Echo, SERVER, { reconnect: call.reconnects })
          : server.client(Echo, back);
      void makeCall({ world, isCorrupted }, client, call);
    });
  }
  for (const topic of topics) void publishAll(world, random.fork(), topic, scenario.maxBodyBytes);
  for (let i = 0; i < scenario.subscriptions; i++) {
    const topic = topics[random.int(0, topics.length - 1)]!;
    const anyClient = random.int(0, clients.length - 1);
    const endpoint = clients[scenario.isCrowd ? i % clients.length : anyClient]!;
    const readDelayMs = random.int(0, scenario.maxReadDelayMs);
    const breakAfter = random.chance(0.2) ? random.int(1, 10) : undefined;
    const own = random.fork();
    const startMs = random.chance(0.4) ? 0 : random.int(0, 200);
    world.after(scenario.isCrowd ? 0 : startMs, () => {
      try {
        const filterChance = scenario.isCrowd ? 0.05 : 0.4;
        const sim = subscribe(own, endpoint, SERVER, topic.plan.name, i, filterChance);
        subscriptions.push(sim);
        void readSubscription(world, sim, readDelayMs, breakAfter, isCorrupted);
      } catch (error) {
        world.log(`subscription-${i} cannot begin: ${String(error)}`);
      }
    });
  }
  const { earlyClose } = scenario;
  if (earlyClose === undefined) return;
  world.after(earlyClose.atMs, () => {
    world.log(`the ${earlyClose.who} closes early`);
    void (earlyClose.who === "server" ? server : clients[0]!).close();
  });
}

async function perform(run: Run): Promise<void> {
  const { world, scenario, links, server, clients, topics } = run;
  const isIdle = await world.runUntil(world.nowMs + LONG_MS);
  if (world.violations.length > 0) return;
  if (!isIdle) world.report("the run does not come to rest");
  if (scenario.isBenign) checkAtRest(run);
  checkOutcomes(run);
  if (world.violations.length > 0) return;
  // Publishers go first, so that every subscription that still stands ends well.
  let open = 0;
  const closing = (promise: Promise<unknown>): void => {
    open++;
    void promise.finally(() => open--);
  };
  for (const { publisher } of topics) closing(publisher.close());
  await world.runUntil(world.nowMs + LONG_MS);
  if (scenario.isBenign) checkSubscriptions(run);
  for (const endpoint of [server, ...clients]) closing(endpoint.close());
  links.isClosing = true;
  await world.runUntil(world.nowMs + LONG_MS);
  if (world.violations.length > 0) return;
  if (open > 0) world.report(`${open} closes have not come to an end`);
  checkResidue(run);
}

/** The subscription that the user of a stream belongs to. */
function ownerOf(user: object): object | undefined {
  return user instanceof TopicSource ? user.owner : undefined;
}
