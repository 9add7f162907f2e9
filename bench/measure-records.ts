import { type Durations, type Measured, ofTimes } from "./measure.js";
import type { RecordClient, WakeUpClient } from "./peers/peer.js";

/** Round trips that are timed together, and then one by one. As in c/cacheline.c. */
const GROUP = 32;
/** Of single round trips. What comes later is not kept. */
const MAX_SAMPLES = 4_194_304;

/**
 * Times round trips of records: in turn 32 together, whose mean is a sample for the median, and 32 single ones for the
 * percentiles. Reading the clock takes about as long as a record over shared memory, and would be half of the median.
 */
export async function measureRecords(
  client: RecordClient,
  { warmUpMs, measureMs }: Durations,
): Promise<Measured> {
  const groups = new Float64Array(MAX_SAMPLES / GROUP);
  const singles = new Float64Array(MAX_SAMPLES);
  let groupCount = 0;
  let singleCount = 0;
  const measureFrom = performance.now() + warmUpMs;
  const until = measureFrom + measureMs;
  let before = performance.now();
  let trip = 0;
  await client.run(() => {
    // Counts what has ended since the last call, and says whether to go on.
    const place = trip++ % (2 * GROUP);
    if (place !== 0 && place < GROUP) return true;
    const after = performance.now();
    const counts = before >= measureFrom && trip > 1;
    if (place === GROUP) {
      if (counts && groupCount < groups.length) groups[groupCount++] = ((after - before) * 1_000) / GROUP;
    } else if (counts && singleCount < singles.length) {
      singles[singleCount++] = (after - before) * 1_000;
    }
    before = after;
    return place !== 0 || after < until;
  });
  return ofTimes(singles.subarray(0, singleCount).sort(), groups.subarray(0, groupCount).sort());
}

/** One message per millisecond: fewer say nothing about the 99.9th percentile. */
const FEWEST_MESSAGES = 2_000;

/** How many messages, and so milliseconds, `wake-up` is measured for. */
export function wakeUpMessages({ measureMs }: Durations): number {
  return Math.max(FEWEST_MESSAGES, measureMs);
}

/** Collects how long messages were on their way to a process that slept. */
export async function measureWakeUps(client: WakeUpClient, durations: Durations): Promise<Measured> {
  const wanted = wakeUpMessages(durations);
  const measureFrom = performance.now() + durations.warmUpMs;
  const samplesUs: number[] = [];
  await new Promise<void>((resolve, reject) => {
    const onMessage = (latencyUs: number): void => {
      if (performance.now() < measureFrom || samplesUs.length === wanted) return;
      samplesUs.push(latencyUs);
      if (samplesUs.length === wanted) resolve();
    };
    client.receive(onMessage).catch(reject);
  });
  return ofTimes(Float64Array.from(samplesUs).sort());
}
