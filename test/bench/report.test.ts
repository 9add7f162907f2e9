import { expect, test } from "vitest";
import { CASES, type Scenario } from "../../bench/cases.js";
import type { Header } from "../../bench/machine.js";
import { type Report, toMarkdown, toRow } from "../../bench/report.js";

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

test("a row holds the median of the rounds and of their 99th percentiles", () => {
  const rounds = [
    { value: 30, p99: 300 },
    { value: 10, p99: 900 },
    { value: 20, p99: 100 },
  ];
  expect(toRow(RTT, "us", "net", rounds)).toEqual({
    ...RTT,
    peer: "net",
    unit: "us",
    median: 20,
    p99: 300,
    rounds: [30, 10, 20],
  });
});

test("a ratio above 1 is better than the base, for times and for rates", () => {
  const table = toMarkdown({
    header: HEADER,
    rows: [
      toRow(RTT, "us", "net", [{ value: 50, p99: 60 }]),
      toRow(RTT, "us", "grpc-js", [{ value: 150, p99: 200 }]),
      toRow(RATE, "calls/s", "net", [{ value: 200_000, p99: null }]),
      toRow(RATE, "calls/s", "grpc-js", [{ value: 10_000, p99: null }]),
    ],
    failures: [],
  });
  expect(table).toContain("| 64B, 1 in flight | 50<br>p99 60<br>3.0 x | 150<br>p99 200<br>1.0 x |");
  expect(table).toContain("| 64B, 64 in flight | 200,000<br>20 x | 10,000<br>1.0 x |");
  expect(table).toContain("not pinned: there is only one core");
});

test("a peer without the case shows a dash, one that failed says so", () => {
  const report: Report = {
    header: HEADER,
    rows: [
      toRow(RTT, "us", "net", [{ value: 50, p99: 60 }]),
      toRow(RTT, "us", "grpc-js", [{ value: 150, p99: 200 }]),
      toRow(RATE, "calls/s", "fork", [{ value: 1, p99: null }]),
    ],
    failures: ["unary-rate 64B in-flight=64 net: round 1 ended with 1"],
  };
  const table = toMarkdown(report);
  expect(table).toContain("| 64B, 64 in flight | failed | - | 1 |");
  expect(table).toContain("Without a result:\nunary-rate 64B in-flight=64 net: round 1 ended with 1");
});

test("every scenario belongs to its case", () => {
  for (const { name, scenarios } of CASES) {
    for (const scenario of scenarios) expect(scenario.case).toBe(name);
  }
});
