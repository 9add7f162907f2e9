import { expect, test } from "vitest";
import { ofTimes } from "../../bench/measure.js";
import { measureRecords } from "../../bench/measure-records.js";
import { burstOf } from "../../bench/measure-publish.js";

test("a 99.9th percentile is that of a thousand times and more", () => {
  const times = (count: number): Float64Array => Float64Array.from({ length: count }, (_, i) => i + 1);
  expect(ofTimes(times(999))).toEqual({ value: 500, p99: 990, p999: null });
  expect(ofTimes(times(1_000))).toEqual({ value: 500, p99: 990, p999: 999 });
  expect(ofTimes(times(1_000), times(3))).toEqual({ value: 2, p99: 990, p999: 999 });
});

test("records are timed from the end of the warm-up until the time is over", async () => {
  const startedAt = performance.now();
  let trips = 0;
  const measured = await measureRecords(
    {
      async run(next) {
        while (next()) {
          trips++;
          const until = performance.now() + 0.02;
          while (performance.now() < until);
        }
      },
    },
    { warmUpMs: 20, measureMs: 50 },
  );
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(70);
  expect(trips % 64).toBe(0);
  expect(measured.value).toBeGreaterThanOrEqual(20);
  expect(measured.p99).toBeGreaterThanOrEqual(20);
});

test("a burst is a thousand messages or 16 MiB", () => {
  const burst = (sizeBytes: number): number =>
    burstOf({ case: "publish-cpu", sizeBytes, inFlight: null, subscribers: 1 });
  expect([64, 65_536, 1_048_576].map(burst)).toEqual([1_000, 256, 16]);
});
