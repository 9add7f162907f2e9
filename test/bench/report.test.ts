import { expect, test } from "vitest";
import { CASES, type Scenario } from "../../bench/cases.js";
import type { Header } from "../../bench/machine.js";
import type { Measured } from "../../bench/measure.js";
import { type Report, type Row, toMarkdown, toRow } from "../../bench/report.js";
import { judge } from "../../bench/targets.js";

const RTT: Scenario = { case: "unary-rtt", sizeBytes: 64, inFlight: 1, subscribers: null };
const RATE: Scenario = { case: "unary-rate", sizeBytes: 64, inFlight: 64, subscribers: null };

const HEADER: Header = {
  date: "2026-01-02T03:04:05.000Z",
  cpu: "a CPU",
  cores: 2,
  kernel: "Linux 6",
  memoryBytes: 2 ** 30,
  loadAverage: [0, 0, 0],
  versions: { node: "20.19.0" },
  pinning: { kind: "free", reason: "there is only one core" },
  rounds: 3,
  warmUpMs: 1,
  measureMs: 1,
};

function rate(value: number): Measured {
  return { value, p99: null, p999: null };
}

function reportOf(rows: readonly Row[], failures: readonly string[] = []): Report {
  return { header: HEADER, rows, failures, targets: judge(rows) };
}

test("a row holds the median of the rounds and of the percentiles that they have", () => {
  const rounds = [
    { value: 30, p99: 300, p999: 3_000 },
    { value: 10, p99: 900, p999: null },
    { value: 20, p99: 100, p999: 1_000 },
  ];
  expect(toRow(RTT, "us", "net", rounds)).toEqual({
    ...RTT,
    peer: "net",
    unit: "us",
    median: 20,
    p99: 300,
    p999: 2_000,
    rounds: [30, 10, 20],
  });
});

test("a ratio above 1 is better than the base, for times and for rates", () => {
  const table = toMarkdown(
    reportOf([
      toRow(RTT, "us", "net", [{ value: 50, p99: 60, p999: 70.25 }]),
      toRow(RTT, "us", "grpc-js", [{ value: 150, p99: 200, p999: null }]),
      toRow(RATE, "calls/s", "net", [rate(200_000)]),
      toRow(RATE, "calls/s", "grpc-js", [rate(10_000)]),
    ]),
  );
  expect(table).toContain(
    "| 64B, 1 in flight | 50<br>p99 60<br>p99.9 70.3<br>3.0 x | 150<br>p99 200<br>1.0 x |",
  );
  expect(table).toContain("| 64B, 64 in flight | 200,000<br>20 x | 10,000<br>1.0 x |");
  expect(table).toContain("not pinned: there is only one core");
});

test("a peer without the scenario shows a dash, one that failed says so, one without the case has no column", () => {
  const table = toMarkdown(
    reportOf(
      [
        toRow(RTT, "us", "grpc-js", [{ value: 150, p99: 200, p999: null }]),
        toRow(RATE, "calls/s", "fork", [rate(1)]),
        toRow({ ...RATE, inFlight: 256 }, "calls/s", "net", [rate(2)]),
        toRow({ ...RATE, inFlight: 256 }, "calls/s", "zeromq", [rate(3)]),
      ],
      ["unary-rate 64B in-flight=64 net: round 1 ended with 1"],
    ),
  );
  expect(table).toContain("|  | net | zeromq | fork |");
  expect(table).toContain("| 64B, 64 in flight | failed | - | 1 |");
  expect(table).toContain("Without a result:\nunary-rate 64B in-flight=64 net: round 1 ended with 1");
});

test("what takes less than ten has three decimals", () => {
  const record = CASES.find(({ name }) => name === "record-rtt")!.scenarios[0]!;
  const table = toMarkdown(
    reportOf([
      toRow(record, "us", "c-cacheline", [{ value: 0.0664, p99: 0.13, p999: 1.61 }]),
      toRow(record, "us", "net-raw", [{ value: 50.04, p99: 60, p999: 2_000.4 }]),
    ]),
  );
  expect(table).toContain(
    "| 64B | 50<br>p99 60<br>p99.9 2,000<br>0.0013 x | 0.066<br>p99 0.13<br>p99.9 1.61<br>1.0 x |",
  );
});

test("every scenario belongs to its case", () => {
  for (const { name, scenarios } of CASES) {
    for (const scenario of scenarios) expect(scenario.case).toBe(name);
  }
});
