import { afterEach, describe, expect, it } from "vitest";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import { Topics } from "../../../gen/test/v1/keys_protoipc.js";
import { nodeHost } from "../../../platform/node-host.js";
import type { Endpoint, PublisherEvent, SubscribeOptions } from "../../../runtime/api.js";
import { openEndpoint } from "../../../runtime/endpoint.js";
import type { Names } from "../../../runtime/names.js";
import type { OpenOptions } from "../../../runtime/open-options.js";
import { memoryTransport } from "../../../transports/memory/index.js";
import type { Link, Transport } from "../../../transports/transport.js";
import { failureOf } from "../../harness/failure.js";
import { until } from "../../harness/until.js";

const NAMES: Names = {
  domain: "test",
  claim: () => Promise.reject(new Error("no names are taken here")),
  locate: () => Promise.reject(new Error("no names are known here")),
};
// Long enough to see that the link is lost, and to publish meanwhile.
const QUICK = { initialDelayMs: 50, maxDelayMs: 50, jitter: 0 };
const opened: Endpoint[] = [];
let paths = 0;

afterEach(async () => {
  await Promise.all(opened.splice(0).map((endpoint) => endpoint.close()));
});

/** An endpoint, and the links that it has accepted. */
async function open(options: OpenOptions): Promise<{ endpoint: Endpoint; links: Link[] }> {
  const transport = memoryTransport();
  const links: Link[] = [];
  const watched: Transport = {
    ...transport,
    listen: (place, limits, onLink) =>
      transport.listen(place, limits, (link) => {
        links.push(link);
        onLink(link);
      }),
  };
  const surroundings = { host: nodeHost(), transports: [watched], names: NAMES };
  const endpoint = await openEndpoint({ drainTimeoutMs: 100, ...options }, surroundings);
  opened.push(endpoint);
  return { endpoint, links };
}

const rules = { depth: 4, overflow: "dropOldest" as const, blockTimeoutMs: 50, history: 0 };
const plainTopic = { ...Topics.oldest, rules };
const historyTopic = { ...Topics.oldest, rules: { ...rules, depth: 64, history: 3 } };

async function stage(topic: typeof plainTopic, options: SubscribeOptions = {}) {
  const address = `memory:/resume-${paths++}`;
  const { endpoint, links } = await open({ listen: [address] });
  const publisher = await endpoint.publisher(topic);
  const { endpoint: reader } = await open({});
  const events: string[] = [];
  const onPublisher = ({ kind }: PublisherEvent<unknown>): void => void events.push(kind);
  const subscription = reader.subscribe(
    topic,
    {},
    { from: address, reconnect: QUICK, onPublisher, ...options },
  );
  await subscription.ready();
  const read: { name: string; seq: number; lost: number }[] = [];
  const reading = (async () => {
    for await (const { key, seq, lost } of subscription) read.push({ name: key.name ?? "", seq, lost });
  })();
  const publish = (name: string, count = 1): void => {
    for (let i = 0; i < count; i++) publisher.publish({ name }, { number: i });
  };
  /** Loses the link, and whatever is published before it is there again. */
  const lose = async (meanwhile: () => void): Promise<void> => {
    links.at(-1)!.close();
    await until("the publisher knows", () => publisher.subscribers === 0);
    meanwhile();
    await until("it is subscribed again", () => publisher.subscribers === 1);
    await subscription.ready();
  };
  return { address, endpoint, publisher, reader, subscription, events, read, reading, publish, lose };
}

describe("a subscription that reconnects", () => {
  it("counts what it missed from the same publisher, key by key, and tells nothing twice", async () => {
    const { read, publish, lose, subscription, events } = await stage(plainTopic);
    publish("a", 3);
    publish("b", 1);
    await until("they came", () => read.length === 4);
    await lose(() => publish("a", 5));
    publish("a");
    publish("b");
    await until("they came", () => read.length === 6);
    expect(read.slice(4)).toEqual([
      { name: "a", seq: 9, lost: 5 },
      { name: "b", seq: 2, lost: 0 },
    ]);
    expect([subscription.received, subscription.lost]).toEqual([6, 5]);
    // And over a link that brings nothing.
    await lose(() => publish("a", 2));
    await lose(() => publish("a", 1));
    publish("a");
    await until("it came", () => read.length === 7);
    expect(read.at(-1)).toEqual({ name: "a", seq: 13, lost: 3 });
    expect(subscription.received + subscription.lost).toBe(13 + 2);
    expect(events).toEqual(["joined", "left", "joined", "left", "joined", "left", "joined"]);
  });

  it("takes what history still has, and counts the rest", async () => {
    const { read, publish, lose, subscription } = await stage(historyTopic);
    publish("a", 3);
    publish("b", 2);
    await until("they came", () => read.length === 5);
    // Of these five the publisher keeps three; all of b is known.
    await lose(() => publish("a", 5));
    await until("they came", () => read.length === 8);
    expect(read.slice(5)).toEqual([
      { name: "a", seq: 6, lost: 2 },
      { name: "a", seq: 7, lost: 0 },
      { name: "a", seq: 8, lost: 0 },
    ]);
    expect(subscription.latest({ name: "b" })?.seq).toBe(2);
    publish("b");
    await until("it came", () => read.length === 9);
    expect(read.at(-1)).toEqual({ name: "b", seq: 3, lost: 0 });
    expect(subscription.received + subscription.lost).toBe(8 + 3);
  });

  it("counts what the publisher drops as well as what it missed", async () => {
    const { publish, lose, subscription, publisher } = await stage(plainTopic, {});
    publish("a", 2);
    await lose(() => publish("a", 3));
    // More in one turn than the queue holds once the window is full.
    for (let turn = 0; turn < 400; turn++) publish("a", 50);
    await publisher.close();
    await until("the account is even", () => subscription.received + subscription.lost === 20_005);
    expect(subscription.lost).toBeGreaterThanOrEqual(3);
  });

  it("goes on with a publisher that the same endpoint makes again, whose numbers go on", async () => {
    const { endpoint, read, publish, publisher, subscription } = await stage(plainTopic);
    publish("a", 3);
    await until("they came", () => read.length === 3);
    await publisher.close();
    const again = await endpoint.publisher(plainTopic);
    again.publish({ name: "a" }, {});
    await again.ready({ subscribers: 1 });
    for (let i = 0; i < 4; i++) again.publish({ name: "a" }, {});
    await until("they came", () => read.length === 7);
    expect(read.slice(3).map(({ seq, lost }) => [seq, lost])).toEqual([
      [5, 1],
      [6, 0],
      [7, 0],
      [8, 0],
    ]);
    expect(subscription.received + subscription.lost).toBe(8);
  });

  it("begins anew with another run of the publisher", async () => {
    const { address, endpoint, read, publish, subscription, events } = await stage(plainTopic);
    publish("a", 3);
    await until("they came", () => read.length === 3);
    await endpoint.close();
    const { endpoint: successor } = await open({ listen: [address] });
    const publisher = await successor.publisher(plainTopic);
    await publisher.ready({ subscribers: 1 });
    publisher.publish({ name: "a" }, {});
    await until("it came", () => read.length === 4);
    expect(read.at(-1)).toEqual({ name: "a", seq: 1, lost: 0 });
    expect(subscription.lost).toBe(0);
    expect(events).toEqual(["joined", "left", "joined"]);
  });

  it("waits for a publisher that is not there yet, and is ended by its user alone", async () => {
    const address = `memory:/resume-${paths++}`;
    const { endpoint: reader } = await open({});
    const controller = new AbortController();
    const { signal } = controller;
    const options = { from: address, reconnect: QUICK, signal };
    const subscription = reader.subscribe(Echo.plain, options);
    const other = reader.subscribe(Echo.plain, { from: address, reconnect: QUICK });
    expect((await failureOf(subscription.ready({ timeoutMs: 30 }))).code).toBe("DEADLINE_EXCEEDED");
    const { endpoint } = await open({ listen: [address] });
    expect((await failureOf(subscription.ready({ timeoutMs: 30 }))).code).toBe("DEADLINE_EXCEEDED");
    const publisher = await endpoint.publisher(Echo.plain);
    await subscription.ready();
    await publisher.ready({ subscribers: 2 });
    expect(subscription.publishers).toHaveLength(1);
    await publisher.close();
    await until("it is gone", () => subscription.publishers.length === 0);
    const next = failureOf(subscription[Symbol.asyncIterator]().next());
    controller.abort();
    expect((await next).code).toBe("CANCELLED");
    await other.close();
    expect((await failureOf(other.ready())).code).toBe("CANCELLED");
  });

  it("says which option cannot be", async () => {
    const { endpoint } = await open({});
    const subscribe = (reconnect: object) => () =>
      endpoint.subscribe(Echo.plain, { from: "memory:/x", reconnect });
    expect(subscribe({ initialDelayMs: 0 })).toThrow("reconnect.initialDelayMs is 0");
    expect(subscribe({ jitter: 2 })).toThrow("reconnect.jitter is 2; it must be a number from 0 to 1");
    expect(subscribe({ delay: 2 })).toThrow('reconnect has no option "delay"');
    expect(() => endpoint.subscribe(Echo.plain)).toThrow('without "from", where endpoints are not found');
  });
});
