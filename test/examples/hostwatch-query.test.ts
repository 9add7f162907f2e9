import { describe, expect, it } from "vitest";
import { family, filtered, limitOf, sorted } from "../../examples/hostwatch/process-query.js";
import type { Plain } from "../../examples/hostwatch/samples.js";
import { type Process, ProcessState, SortBy } from "../../gen/hostwatch/v1/hostwatch_pb.js";

function newProcess(pid: number, parts: Partial<Plain<Process>>): Plain<Process> {
  const rest = {
    parentPid: 1,
    state: ProcessState.SLEEPING,
    cpu: 0,
    cpuMs: 0n,
    residentBytes: 0n,
    threads: 1,
    label: "",
  };
  return { pid, name: `p${pid}`, ...rest, ...parts };
}

const PROCESSES = [
  newProcess(30, { name: "Node", cpu: 0.5, residentBytes: 2n ** 40n, parentPid: 10 }),
  newProcess(10, { name: "init", cpu: 0.5, residentBytes: 1n, label: "first" }),
  newProcess(20, { name: "node", cpu: 0.9, residentBytes: 2n ** 41n, parentPid: 10, label: "first!" }),
];

function pids(processes: readonly Plain<Process>[]): number[] {
  return processes.map(({ pid }) => pid);
}

describe("queries about processes", () => {
  it("filter by a part of the name, whatever its case, and by the whole label", () => {
    expect(pids(filtered(PROCESSES, undefined))).toEqual([30, 10, 20]);
    expect(pids(filtered(PROCESSES, { nameContains: "NOD", label: "" }))).toEqual([30, 20]);
    expect(pids(filtered(PROCESSES, { nameContains: "", label: "first" }))).toEqual([10]);
    expect(pids(filtered(PROCESSES, { nameContains: "node", label: "first" }))).toEqual([]);
  });

  it("sort, ties by pid", () => {
    expect(pids(sorted(PROCESSES, SortBy.UNSPECIFIED))).toEqual([10, 20, 30]);
    expect(pids(sorted(PROCESSES, SortBy.PID))).toEqual([10, 20, 30]);
    expect(pids(sorted(PROCESSES, SortBy.CPU))).toEqual([20, 10, 30]);
    expect(pids(sorted(PROCESSES, SortBy.MEMORY))).toEqual([20, 30, 10]);
    expect(pids(sorted(PROCESSES, SortBy.NAME))).toEqual([30, 10, 20]);
    expect(pids(PROCESSES)).toEqual([30, 10, 20]);
  });

  it("refuse an order that there is not", () => {
    const unknown = 9 as SortBy;
    expect(() => sorted(PROCESSES, unknown)).toThrow("INVALID_ARGUMENT: sort_by is 9");
  });

  it("find a family, its head first", () => {
    expect(pids(family(PROCESSES, 10))).toEqual([10, 20, 30]);
    expect(pids(family(PROCESSES, 99))).toEqual([]);
  });

  it("have a limit", () => {
    expect([limitOf(0), limitOf(1), limitOf(1000)]).toEqual([20, 1, 1000]);
    expect(() => limitOf(1001)).toThrow("INVALID_ARGUMENT: limit is 1001; the most is 1000");
  });
});
