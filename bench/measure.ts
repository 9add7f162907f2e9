import { setTimeout as sleep } from "node:timers/promises";
import type { Scenario } from "./cases.js";
import { checkPayload, makePayload } from "./payload.js";
import type { OneWayClient, StreamClient, UnaryClient } from "./peers/peer.js";
import { percentile } from "./statistics.js";

export interface Durations {
  /** How long the program runs before anything is counted. */
  readonly warmUpMs: number;
  /** How long it is measured. */
  readonly measureMs: number;
}

/** What one program measured. */
export interface Measured {
  /** The median of single times in microseconds, CPU time in nanoseconds, or a rate per second. */
  readonly value: number;
  /** Of single times, in microseconds; `null` where there are none. */
  readonly p99: number | null;
  /** As `p99`; `null` too where fewer than `FEWEST_FOR_P999` were timed. */
  readonly p999: number | null;
}

/** A 99.9th percentile of fewer times is the longest of them. */
const FEWEST_FOR_P999 = 1_000;

/** In flight in the first half of the warm-up for round trips: a call at a time compiles slowly. */
const WARM_UP_LANES = 32;
/** Above this size the lanes would hold too much memory, and calls are few anyway. */
const WARM_UP_LANE_BYTES = 65_536;

/** A 99th percentile of fewer calls says nothing; the measured time is exceeded for it. */
const FEWEST_SAMPLES = 100;

/** Times single calls, one after the other. */
export async function measureRoundTrips(
  client: UnaryClient,
  { sizeBytes }: Scenario,
  { warmUpMs, measureMs }: Durations,
): Promise<Measured> {
  const lanes = client.oneAtATime === true || sizeBytes > WARM_UP_LANE_BYTES ? 1 : WARM_UP_LANES;
  const warmUp = startLanes(client, sizeBytes, lanes);
  await sleep(warmUpMs / 2);
  await warmUp.stop();

  const samplesUs: number[] = [];
  const measureFrom = performance.now() + warmUpMs / 2;
  const until = measureFrom + measureMs;
  for (let id = 0, before = performance.now(); before < until || samplesUs.length < FEWEST_SAMPLES; id++) {
    await echo(client, id, sizeBytes);
    const after = performance.now();
    if (before >= measureFrom) samplesUs.push((after - before) * 1_000);
    before = after;
  }
  return ofTimes(Float64Array.from(samplesUs).sort());
}

/** One call, and a look at its reply. */
async function echo(client: UnaryClient, id: number, sizeBytes: number): Promise<void> {
  const message = makePayload(id, sizeBytes);
  if (client.echoInPlace === undefined) checkPayload(await client.echo(message), id, sizeBytes);
  else await client.echoInPlace(message, (reply) => checkPayload(reply, id, sizeBytes));
}

/** The result of single times in microseconds. The median may be of others than the percentiles. */
export function ofTimes(ascending: Float64Array, medianOf: Float64Array = ascending): Measured {
  return {
    value: percentile(medianOf, 50),
    p99: percentile(ascending, 99),
    p999: ascending.length < FEWEST_FOR_P999 ? null : percentile(ascending, 99.9),
  };
}

/** The result of a case without single times. */
export function ofRate(value: number): Measured {
  return { value, p99: null, p999: null };
}

/** Counts the calls that end while so many lanes call one after the other. */
export async function measureCallRate(
  client: UnaryClient,
  { sizeBytes, inFlight }: Scenario,
  { warmUpMs, measureMs }: Durations,
): Promise<Measured> {
  const lanes = startLanes(client, sizeBytes, inFlight ?? 1);
  await sleep(warmUpMs);
  const [doneBefore, before] = [lanes.done(), performance.now()];
  await sleep(measureMs);
  const value = (lanes.done() - doneBefore) / ((performance.now() - before) / 1_000);
  await lanes.stop();
  return ofRate(value);
}

interface Lanes {
  /** The calls that have ended. */
  done(): number;
  /** Resolves when the calls in flight have ended. */
  stop(): Promise<void>;
}

/** So many lanes, each of which calls again and again. A call that fails ends the process. */
function startLanes(client: UnaryClient, sizeBytes: number, count: number): Lanes {
  let running = true;
  let nextId = 0;
  let done = 0;
  const lane = async (): Promise<void> => {
    while (running) {
      const id = nextId++;
      await echo(client, id, sizeBytes);
      done++;
    }
  };
  const lanes = Array.from({ length: count }, lane);
  return {
    done: () => done,
    async stop() {
      running = false;
      await Promise.all(lanes);
    },
  };
}

/** Times one stream that is long enough, from the call to its last message. */
export function measureStream(
  client: StreamClient,
  { sizeBytes }: Scenario,
  durations: Durations,
): Promise<Measured> {
  return measureBatches(durations, async (count) => {
    let nextId = 0;
    await client.stream(count, (message) => checkPayload(message, nextId++, sizeBytes));
    if (nextId !== count) throw new Error(`the stream ended after ${nextId} of ${count} messages`);
  });
}

/** Times sending one-way messages until the server has counted the last one. */
export function measureOneWay(
  client: OneWayClient,
  { sizeBytes }: Scenario,
  durations: Durations,
): Promise<Measured> {
  let total = 0;
  return measureBatches(durations, async (count) => {
    for (let id = 0; id < count; id++) {
      const room = client.push(makePayload(id, sizeBytes));
      if (room !== undefined) await room;
    }
    total += count;
    await client.awaitPushes(total);
  });
}

/** The first batch of the warm-up. Doubled while a batch takes less than `LONG_BATCH_MS`. */
const FIRST_BATCH = 16;
const LONG_BATCH_MS = 100;

/** Runs batches of growing size until the program is warm, then one that takes about as long as is to be measured. */
export async function measureBatches(
  { warmUpMs, measureMs }: Durations,
  run: (count: number) => Promise<void>,
): Promise<Measured> {
  const start = performance.now();
  let count = FIRST_BATCH;
  let perMs = 0;
  while (performance.now() - start < warmUpMs) {
    const elapsedMs = await timeMs(() => run(count));
    perMs = count / elapsedMs;
    if (elapsedMs < LONG_BATCH_MS) count *= 2;
  }
  const measured = Math.max(1, Math.round(perMs * measureMs));
  const elapsedMs = await timeMs(() => run(measured));
  return ofRate((measured / elapsedMs) * 1_000);
}

async function timeMs(action: () => Promise<void>): Promise<number> {
  const before = performance.now();
  await action();
  return performance.now() - before;
}
