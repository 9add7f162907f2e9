import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { Topics } from "../../../gen/test/v1/keys_protoipc.js";
import { nodeHost } from "../../../platform/node-host.js";
import type { Endpoint } from "../../../runtime/api.js";
import type { Overflow } from "../../../runtime/definition.js";
import { openEndpoint } from "../../../runtime/endpoint.js";
import type { Limits } from "../../../runtime/limits.js";
import type { Names } from "../../../runtime/names.js";
import type { OpenOptions } from "../../../runtime/open-options.js";
import { memoryTransport } from "../../../transports/memory/index.js";
import type { MemoryBlocks } from "../../../transports/memory/memory-blocks.js";
import type { Link, Transport } from "../../../transports/transport.js";
import { unixTransport } from "../../../transports/unix/index.js";
import { failureOf } from "../../harness/failure.js";
import { pattern, same } from "../../harness/pattern.js";
import { settled, until } from "../../harness/until.js";
import { newFolder } from "../../transports/folder.js";

const NAMES: Names = {
  domain: "test",
  claim: () => Promise.reject(new Error("no names are taken here")),
  locate: () => Promise.reject(new Error("no names are known here")),
};
const NARROW: Partial<Limits> = { initialMessages: 2, windowMessages: 2 };
const BODY = new Uint8Array(5_000);

const opened: Endpoint[] = [];
let paths = 0;

afterEach(async () => {
  await Promise.all(opened.splice(0).map((endpoint) => endpoint.close()));
});

interface Opened {
  readonly endpoint: Endpoint;
  readonly blocks: MemoryBlocks;
  /** The links that were accepted. */
  readonly links: readonly Link[];
}

async function open(options: OpenOptions, maxHeldBlocks?: number): Promise<Opened> {
  const transport = memoryTransport({ minBytes: 1_000, maxHeldBlocks });
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
  return { endpoint, blocks: transport.blocks, links };
}

/** A publisher of a topic with the given rules, and subscribers to it that read nothing. */
async function stage(overflow: Overflow, history: number, subscribers: number) {
  const rules = { depth: 4, overflow, blockTimeoutMs: 50, history };
  const topic = { ...Topics.oldest, rules };
  const address = `memory:/block-accounting-${paths++}`;
  const { endpoint: publishing, blocks } = await open({ listen: [address] });
  const publisher = await publishing.publisher(topic);
  const readers: Endpoint[] = [];
  const subscriptions = [];
  for (let i = 0; i < subscribers; i++) {
    const { endpoint } = await open({ limits: NARROW });
    const subscription = endpoint.subscribe(topic, {}, { from: address });
    await subscription.ready();
    readers.push(endpoint);
    subscriptions.push(subscription);
  }
  return { publishing, publisher, blocks, address, topic, readers, subscriptions };
}

type Stage = Awaited<ReturnType<typeof stage>>;

function publish({ publisher }: Stage, count: number): void {
  for (let number = 1; number <= count; number++) publisher.publish({ name: "a" }, { number, body: BODY });
}

const ENDS: readonly (readonly [name: string, end: (stage: Stage) => Promise<unknown>])[] = [
  ["subscribers close", ({ subscriptions }) => Promise.all(subscriptions.map((one) => one.close()))],
  ["the subscribers' endpoints close", ({ readers }) => Promise.all(readers.map((one) => one.close()))],
  ["the publisher closes", ({ publisher }) => publisher.close()],
  ["the publisher's endpoint closes", ({ publishing }) => publishing.close()],
  [
    "all is read",
    async ({ subscriptions, publisher }) => {
      const reading = subscriptions.map(async (subscription) => {
        let count = 0;
        for await (const { message } of subscription) count += message.body.length;
        expect(count % BODY.length).toBe(0);
        expect(count).toBeGreaterThan(0);
      });
      await publisher.close();
      // One that was sent away learns so at the end.
      await Promise.allSettled(reading);
    },
  ],
];

describe("blocks of publications", () => {
  for (const overflow of ["dropOldest", "dropNewest", "block", "disconnect"] as const) {
    for (const subscribers of [1, 3]) {
      for (const [name, end] of ENDS) {
        it(`are all given back: ${overflow}, ${subscribers} subscribers, when ${name}`, async () => {
          const staged = await stage(overflow, 0, subscribers);
          publish(staged, 30);
          // Two are with each subscriber and four wait for it, at most; no publication has more than one block.
          expect(staged.blocks.blocksInUse).toBeGreaterThan(0);
          expect(staged.blocks.blocksInUse).toBeLessThanOrEqual(6 * (subscribers === 1 ? 1 : 2));
          await end(staged);
          await until("every block is given back", () => staged.blocks.blocksInUse === 0);
        });
      }
    }
  }

  it("are shared by all subscribers", async () => {
    const staged = await stage("dropOldest", 0, 3);
    publish(staged, 2);
    expect(staged.blocks.blocksInUse).toBe(2);
    await until("they came", () => staged.subscriptions.every(({ received }) => received === 2));
    expect(staged.blocks.blocksInUse).toBe(0);
  });

  it("are kept for history, and given back when it moves on and when the publisher closes", async () => {
    const staged = await stage("dropOldest", 3, 0);
    publish(staged, 10);
    expect(staged.blocks).toMatchObject({ blocksInUse: 3 });
    staged.publisher.publish({ name: "b" }, { body: BODY });
    expect(staged.blocks.blocksInUse).toBe(4);
    const { endpoint } = await open({});
    const late = endpoint.subscribe(staged.topic, {}, { from: staged.address });
    await until("the late one has all of it", () => late.received === 4);
    expect(staged.blocks.blocksInUse).toBe(4);
    await staged.publisher.close();
    expect(staged.blocks.blocksInUse).toBe(0);
  });

  it("are kept for a late subscriber that does not read, beyond what history holds", async () => {
    const staged = await stage("dropOldest", 4, 0);
    publish(staged, 4);
    const { endpoint } = await open({ limits: NARROW });
    const late = endpoint.subscribe(staged.topic, {}, { from: staged.address });
    await until("it has what it may have", () => late.received === 2);
    publish(staged, 4);
    expect(staged.blocks.blocksInUse).toBe(6);
    await late.close();
    await until("it is gone", () => staged.publisher.subscribers === 0);
    expect(staged.blocks.blocksInUse).toBe(4);
  });

  it("go another way where the peer holds as many as it may, and the order is kept", async () => {
    const address = `memory:/block-accounting-${paths++}`;
    const { endpoint: publishing, blocks } = await open({ listen: [address] }, 2);
    const publisher = await publishing.publisher(Topics.oldest);
    const { endpoint } = await open({});
    const subscription = endpoint.subscribe(Topics.oldest, {}, { from: address });
    await subscription.ready();
    for (let number = 1; number <= 20; number++) {
      expect(publisher.publish({ name: "a" }, { number, body: BODY }).sent).toBe(1);
      expect(blocks.blocksInUse).toBeLessThanOrEqual(2);
    }
    const numbers: number[] = [];
    for await (const { message } of subscription) {
      expect(message.body).toHaveLength(BODY.length);
      numbers.push(message.number);
      if (message.number === 20) break;
    }
    expect(numbers).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  });

  it("are given back when a waiting publisher gives up", async () => {
    const staged = await stage("block", 0, 2);
    publish(staged, 6);
    const controller = new AbortController();
    const waiting = staged.publisher
      .publishWhenReady({ name: "a" }, { body: BODY }, { signal: controller.signal })
      .catch(() => undefined);
    controller.abort();
    await waiting;
    expect(staged.blocks.blocksInUse).toBe(6);
    await staged.publisher.publishWhenReady({ name: "a" }, { body: BODY });
    for (const subscription of staged.subscriptions) await subscription.close();
    await until("every block is given back", () => staged.blocks.blocksInUse === 0);
  });

  it("are of the store of those who subscribe, where the endpoint's own serves none of them", async () => {
    const unused = memoryTransport({ minBytes: 1_000 });
    const used = { ...memoryTransport({ minBytes: 1_000 }), name: "other" };
    const path = `/block-accounting-${paths++}`;
    const publishing = await openEndpoint(
      { listen: [`other:${path}`] },
      { host: nodeHost(), transports: [unused, used], names: NAMES },
    );
    opened.push(publishing);
    const publisher = await publishing.publisher({ ...Topics.held });
    publisher.publish({ name: "a" }, { number: 1, body: BODY });
    expect([unused.blocks.blocksInUse, used.blocks.blocksInUse]).toEqual([1, 0]);
    const { endpoint } = await open({});
    const subscription = endpoint.subscribe(Topics.held, {}, { from: `memory:${path}` });
    await subscription.ready();
    publisher.publish({ name: "a" }, { number: 2, body: BODY });
    expect([unused.blocks.blocksInUse, used.blocks.blocksInUse]).toEqual([1, 1]);
    await until("both came", () => subscription.received === 2);
    await subscription.close();
    await until("it is gone", () => publisher.subscribers === 0);
    publisher.publish({ name: "a" }, { number: 3, body: BODY });
    expect([unused.blocks.blocksInUse, used.blocks.blocksInUse]).toEqual([1, 1]);
    await publisher.close();
    expect([unused.blocks.blocksInUse, used.blocks.blocksInUse]).toEqual([0, 0]);
  });

  it("are not taken while no subscriber's link can send them", async () => {
    const memory = memoryTransport({ minBytes: 1_000 });
    const path = `/block-accounting-${paths++}`;
    const socket = `unix:${join(await newFolder(), "s")}`;
    const publishing = await openEndpoint(
      { listen: [socket, `memory:${path}`] },
      { host: nodeHost(), transports: [memory, unixTransport()], names: NAMES },
    );
    opened.push(publishing);
    const publisher = await publishing.publisher(Topics.oldest);
    const subscribe = async (address: string) => {
      const endpoint = await openEndpoint(
        { limits: NARROW },
        {
          host: nodeHost(),
          transports: [memoryTransport({ minBytes: 1_000 }), unixTransport()],
          names: NAMES,
        },
      );
      opened.push(endpoint);
      const subscription = endpoint.subscribe(Topics.oldest, {}, { from: address });
      await subscription.ready();
      return subscription;
    };
    const publishFive = () => {
      for (let number = 1; number <= 5; number++) publisher.publish({ name: "a" }, { number, body: BODY });
    };
    const copying = await subscribe(socket);
    publishFive();
    expect(memory.blocks.blocksInUse).toBe(0);
    const sharing = await subscribe(`memory:${path}`);
    publishFive();
    expect(memory.blocks.blocksInUse).toBe(5);
    await copying.close();
    await sharing.close();
    await until("both are gone", () => publisher.subscribers === 0);
    expect(memory.blocks.blocksInUse).toBe(0);
    using loan = publisher.loan({ name: "a" }, 5_000);
    expect(loan.bytes).toHaveLength(5_000);
    expect(memory.blocks.blocksInUse).toBe(1);
  });
});

describe("blocks of loans", () => {
  it("are given back when they are published to nobody, released, or left at the end", async () => {
    const { publisher, blocks } = await stage("dropOldest", 0, 0);
    const published = publisher.loan({ name: "a" }, 5_000);
    const field = publisher.loan({ name: "a" }, 5_000, { field: "body" });
    const released = publisher.loan({ name: "a" }, 5_000);
    publisher.loan({ name: "a" }, 5_000);
    expect(blocks.blocksInUse).toBe(4);
    published.publish(0);
    expect(blocks.blocksInUse).toBe(3);
    expect(() => field.publish({ number: 1 }, { usedBytes: -1 })).toThrow(TypeError);
    expect(blocks.blocksInUse).toBe(3);
    field.publish({ number: 1 }, { usedBytes: 10 });
    expect(blocks.blocksInUse).toBe(2);
    released.release();
    expect(blocks.blocksInUse).toBe(1);
    await publisher.close();
    expect(blocks.blocksInUse).toBe(0);
  });

  it("are cut to what was used", async () => {
    const { publisher, blocks } = await stage("dropOldest", 4, 0);
    publisher.loan({ name: "a" }, 100_000).publish(2_000);
    expect(blocks).toMatchObject({ blocksInUse: 1, bytesInUse: 2_000 });
    using loan = publisher.loan({ name: "a" }, 100_000, { field: "body" });
    loan.publish({ number: 1 }, { usedBytes: 3_000 });
    // A tag, a length of three bytes, and two bytes for the number.
    expect(blocks).toMatchObject({ blocksInUse: 2, bytesInUse: 2_000 + 3_000 + 1 + 3 + 2 });
  });

  it("that are too small for one are memory like any other", async () => {
    const { publisher, blocks } = await stage("dropOldest", 0, 0);
    using loan = publisher.loan({ name: "a" }, 999);
    expect(blocks.blocksInUse).toBe(0);
    expect(loan.bytes).toHaveLength(999);
  });

  it("wait with those of other publications", async () => {
    const staged = await stage("dropOldest", 0, 2);
    for (let number = 0; number < 10; number++) {
      using loan = staged.publisher.loan({ name: "a" }, 5_000, { field: "body" });
      loan.publish({ number });
    }
    expect(staged.blocks.blocksInUse).toBe(6);
    for (const subscription of staged.subscriptions) await subscription.close();
    await until("every block is given back", () => staged.blocks.blocksInUse === 0);
  });
});

describe("blocks that are borrowed", () => {
  async function borrowing() {
    const address = `memory:/block-accounting-${paths++}`;
    const { endpoint: publishing, blocks, links } = await open({ listen: [address] });
    const publisher = await publishing.publisher(Topics.oldest);
    const { endpoint } = await open({});
    const subscription = endpoint.subscribe(Topics.oldest, {}, { from: address, borrow: true });
    await subscription.ready();
    for (let number = 0; number < 4; number++) {
      publisher.publish({ name: "a" }, { number, body: pattern(100_000, number) });
    }
    await until("all came", () => subscription.received === 4);
    expect(blocks.blocksInUse).toBe(4);
    return {
      publisher,
      blocks,
      link: links[0]!,
      subscription,
      reading: subscription[Symbol.asyncIterator](),
    };
  }

  it("are held until the next is asked for, or they are released", async () => {
    const { blocks, reading } = await borrowing();
    await reading.next();
    expect(blocks.blocksInUse).toBe(4);
    const second = (await reading.next()).value!;
    await until("the first is given back", () => blocks.blocksInUse === 3);
    second.release();
    await until("the second is given back", () => blocks.blocksInUse === 2);
    await reading.next();
    await settled();
    expect(blocks.blocksInUse).toBe(2);
    await reading.return?.();
    await until("all are given back", () => blocks.blocksInUse === 0);
  });

  it("are given back when the publisher ends, and what waits is copied", async () => {
    const { blocks, publisher, reading, subscription } = await borrowing();
    await reading.next();
    await publisher.close();
    await until("the end came", () => blocks.blocksInUse === 1);
    expect(subscription.received).toBe(4);
    const { message, isBorrowed } = (await reading.next()).value!;
    await until("the first is given back", () => blocks.blocksInUse === 0);
    expect([isBorrowed, same(message.body, pattern(100_000, 1))]).toEqual([false, true]);
  });

  it("are given back when the subscriber closes after the publisher has", async () => {
    const { blocks, publisher, reading, subscription } = await borrowing();
    await reading.next();
    await publisher.close();
    await until("the end came", () => blocks.blocksInUse === 1);
    await subscription.close();
    await until("the last is given back", () => blocks.blocksInUse === 0);
  });

  it("are lost with the link, but what waits is copied before", async () => {
    const { blocks, link, reading } = await borrowing();
    const first = (await reading.next()).value!;
    link.close();
    await until("every block is given back", () => blocks.blocksInUse === 0);
    expect(first.message.body).toHaveLength(0);
    for (let number = 1; number < 4; number++) {
      const { message, isBorrowed } = (await reading.next()).value!;
      expect([message.number, isBorrowed]).toEqual([number, false]);
      expect(same(message.body, pattern(100_000, number))).toBe(true);
    }
    expect((await failureOf(reading.next())).code).toBe("UNAVAILABLE");
    first.release();
  });
});
