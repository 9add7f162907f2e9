import { expect, test } from "vitest";
import { CASES, type CaseName, describeScenario, type Scenario } from "../../bench/cases.js";
import { hasCase, loadPeer } from "../../bench/peers/index.js";
import { printReport, type Row, toMarkdown, toRow } from "../../bench/report.js";
import { judge, type Target } from "../../bench/targets.js";

function row(name: CaseName, change: Partial<Scenario>, peer: string, value: number): Row {
  const benchCase = CASES.find((candidate) => candidate.name === name)!;
  const scenario = { ...benchCase.scenarios[0]!, ...change };
  return toRow(scenario, benchCase.unit, peer, [{ value, p99: null, p999: null }]);
}

function targetOf(rows: readonly Row[], lane: string, base: string): Target | undefined {
  return judge(rows).find((target) => target.lane === lane && target.base === base);
}

test("a time that is to be so many times shorter", () => {
  const judged = (own: number): Target | undefined =>
    targetOf(
      [row("unary-rtt", {}, "grpc-js", 120), row("unary-rtt", {}, "protoipc-shm", own)],
      "unary-rtt 64B in-flight=1 protoipc-shm",
      "unary-rtt 64B in-flight=1 grpc-js",
    );
  expect(judged(3)).toMatchObject({ kind: "times as good", target: 40, measured: 40, verdict: "met" });
  expect(judged(4)).toMatchObject({ measured: 30, verdict: "not met" });
});

test("a rate that is to be so many times higher", () => {
  const judged = (own: number): Target | undefined =>
    targetOf(
      [row("publish-raw", {}, "zeromq", 100_000), row("publish-raw", {}, "protoipc-shm", own)],
      "publish-raw 64B subscribers=1 protoipc-shm",
      "publish-raw 64B subscribers=1 zeromq",
    );
  expect(judged(5_000_000)).toMatchObject({ target: 40, measured: 50, verdict: "met" });
  expect(judged(3_000_000)).toMatchObject({ measured: 30, verdict: "not met" });
});

test("a time that may be so long by itself", () => {
  const benchCase = CASES.find(({ name }) => name === "death")!;
  const judged = (p99: number | null): Target | undefined => {
    const told = toRow(benchCase.scenarios[0]!, benchCase.unit, "protoipc-shm", [
      { value: 1_000, p99, p999: null },
    ]);
    return targetOf([told], "death 0B protoipc-shm", "");
  };
  expect(judged(40_000)).toMatchObject({ kind: "ms in 99 of 100", target: 50, measured: 40, verdict: "met" });
  expect(judged(60_000)).toMatchObject({ measured: 60, verdict: "not met" });
  expect(judged(null)).toMatchObject({ verdict: "not run" });
});

test("a time that may be so many times longer", () => {
  const judged = (own: number): Target | undefined =>
    targetOf(
      [row("record-rtt", {}, "c-cacheline", 0.1), row("record-rtt", {}, "protoipc-shm", own)],
      "record-rtt 64B protoipc-shm",
      "record-rtt 64B c-cacheline",
    );
  expect(judged(0.25)).toMatchObject({ kind: "times as much", target: 2.5, measured: 2.5, verdict: "met" });
  expect(judged(0.3)).toMatchObject({ measured: 3, verdict: "not met" });
});

test("a row of another scenario of the same peer", () => {
  const rows = [
    row("publish-cpu", { subscribers: 1 }, "protoipc-shm", 1_000),
    row("publish-cpu", { subscribers: 8 }, "protoipc-shm", 2_000),
  ];
  const lane = "publish-cpu 64B subscribers=8 protoipc-shm";
  expect(targetOf(rows, lane, "publish-cpu 64B subscribers=1 protoipc-shm")).toMatchObject({
    measured: 2,
    verdict: "met",
  });
});

test("a target without both of its rows is not run", () => {
  const rows = [row("record-rtt", {}, "c-cacheline", 0.1)];
  for (const target of judge(rows)) expect(target).toMatchObject({ measured: null, verdict: "not run" });
});

test("the targets stand behind the tables, in both shapes", () => {
  const rows = [row("record-rtt", {}, "c-cacheline", 0.1), row("record-rtt", {}, "protoipc-shm", 0.3)];
  const header = {
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
  } as const;
  const report = { header, rows, failures: [], targets: judge(rows) };
  expect(toMarkdown(report)).toContain(
    "| record-rtt 64B protoipc-shm | record-rtt 64B c-cacheline | at most 2.5 times as much | 3 | not met |",
  );
  expect(printReport(report)).toContain("at most 2.5 times as much");
});

test("every target is about a row that a run has", async () => {
  for (const { lane, base } of judge([])) {
    for (const name of base === "" ? [lane] : [lane, base]) {
      const found = CASES.flatMap(({ scenarios }) => scenarios).find((scenario) =>
        name.startsWith(`${describeScenario(scenario)} `),
      );
      expect(found, name).toBeDefined();
      const peer = await loadPeer(name.slice(describeScenario(found!).length + 1));
      expect(hasCase(peer, found!.case), name).toBe(true);
    }
  }
});
