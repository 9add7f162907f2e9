import { describe, expect, it } from "vitest";
import { Latencies } from "../../examples/hostwatch/latency.js";
import type { PidStat } from "../../examples/hostwatch/proc/pid-stat.js";
import type { HostSnapshot } from "../../examples/hostwatch/proc/read-host.js";
import { ProcessTable } from "../../examples/hostwatch/process-table.js";
import { sample } from "../../examples/hostwatch/samples.js";
import { SnapshotWindow } from "../../examples/hostwatch/snapshot-window.js";
import { ProcessState } from "../../gen/hostwatch/v1/hostwatch_pb.js";

const MEMORY = {
  totalBytes: 8n,
  availableBytes: 4n,
  freeBytes: 2n,
  cachedBytes: 2n,
  swapTotalBytes: 0n,
  swapFreeBytes: 0n,
};
const LOAD = { one: 1, five: 2, fifteen: 3, runnable: 4, threads: 5 };

function snapshot(atMs: number, parts: Partial<HostSnapshot>): HostSnapshot {
  const nothing = { cores: [], interfaces: [], disks: [] };
  return {
    timeMs: 1_700_000_000_000 + atMs,
    atMs,
    memory: MEMORY,
    load: LOAD,
    uptimeSeconds: 9,
    ...nothing,
    ...parts,
  };
}

function core(core: number, user: number, system: number, idle: number, ioWait: number, steal: number) {
  return { core, user, system, idle, ioWait, steal };
}

function link(name: string, receivedBytes: bigint, transmittedBytes: bigint) {
  return {
    name,
    receivedBytes,
    transmittedBytes,
    receivedPackets: 1n,
    transmittedPackets: 2n,
    failedPackets: 3n,
  };
}

function disk(device: string, readBytes: bigint, writtenBytes: bigint, busyMs: number) {
  return { device, reads: 1n, writes: 2n, readBytes, writtenBytes, inFlight: 0, busyMs };
}

describe("samples", () => {
  it("have a core's shares of the time since the moment before", () => {
    const before = snapshot(0, { cores: [core(3, 100, 100, 100, 100, 100)] });
    const now = snapshot(1000, { cores: [core(3, 130, 120, 130, 110, 110)] });
    expect(sample(before, now, 100).cores).toEqual([
      {
        key: { core: 3 },
        message: {
          timeMs: 1_700_000_001_000n,
          busy: 0.6,
          user: 0.3,
          system: 0.2,
          ioWait: 0.1,
          steal: 0.1,
          busyMs: 3600n,
          idleMs: 2400n,
        },
      },
    ]);
  });

  it("have shares from 0 to 1 where no time has passed or the kernel has corrected itself", () => {
    const before = snapshot(0, { cores: [core(0, 10, 10, 50, 10, 0), core(1, 1, 1, 1, 1, 1)] });
    const now = snapshot(10, { cores: [core(0, 12, 8, 49, 9, 0), core(1, 1, 1, 1, 1, 1)] });
    const [corrected, still] = sample(before, now, 100).cores;
    expect(corrected!.message).toMatchObject({ busy: 0, user: 0, system: 0, ioWait: 0 });
    expect(still!.message).toMatchObject({ busy: 0, user: 0, system: 0, ioWait: 0 });
  });

  it("have rates per second, and counters", () => {
    const before = snapshot(0, {
      interfaces: [link("eth0", 100n, 2n ** 60n)],
      disks: [disk("vda", 0n, 1000n, 7)],
    });
    const now = snapshot(500, {
      interfaces: [link("eth0", 1100n, 2n ** 60n + 50n)],
      disks: [disk("vda", 4096n, 2000n, 132)],
    });
    const { interfaces, disks } = sample(before, now, 100);
    expect(interfaces[0]!.key).toEqual({ name: "eth0" });
    expect(interfaces[0]!.message).toMatchObject({
      receiveRate: 2000,
      transmitRate: 100,
      receivedBytes: 1100n,
    });
    expect(Object.keys(interfaces[0]!.message)).not.toContain("name");
    expect(disks[0]!.key).toEqual({ device: "vda" });
    expect(disks[0]!.message).toMatchObject({
      readRate: 8192,
      writeRate: 2000,
      busy: 0.25,
      writtenBytes: 2000n,
    });
  });

  it("have no rate where a counter went back or no time has passed", () => {
    const before = snapshot(0, { interfaces: [link("eth0", 100n, 100n)] });
    const later = snapshot(1000, { interfaces: [link("eth0", 10n, 110n)] });
    expect(sample(before, later, 100).interfaces[0]!.message).toMatchObject({
      receiveRate: 0,
      transmitRate: 10,
    });
    const atOnce = snapshot(0, { interfaces: [link("eth0", 200n, 200n)] });
    expect(sample(before, atOnce, 100).interfaces[0]!.message).toMatchObject({
      receiveRate: 0,
      transmitRate: 0,
    });
  });

  it("leave out what was not there before, and what is there no more", () => {
    const before = snapshot(0, { cores: [core(0, 1, 1, 1, 1, 1)], interfaces: [link("old", 1n, 1n)] });
    const now = snapshot(1000, { cores: [core(1, 1, 1, 1, 1, 1)], interfaces: [link("new", 1n, 1n)] });
    const { cores, interfaces, memory, load } = sample(before, now, 100);
    expect(cores).toEqual([]);
    expect(interfaces).toEqual([]);
    expect(memory).toEqual({ timeMs: 1_700_000_001_000n, ...MEMORY });
    expect(load).toEqual({ timeMs: 1_700_000_001_000n, ...LOAD, uptimeSeconds: 9 });
  });
});

describe("the window of moments", () => {
  it("compares with the latest moment that is a span old, else with the oldest", () => {
    const window = new SnapshotWindow<{ atMs: number }>(1000);
    const compared = [0, 400, 800, 1200, 1400, 5000, 5100].map((atMs) => window.add({ atMs })?.atMs);
    expect(compared).toEqual([undefined, 0, 0, 0, 400, 1400, 1400]);
  });
});

describe("the table of processes", () => {
  const stat = (pid: number, cpuTicks: number, startTicks = 5, state = "S"): PidStat => {
    return { pid, name: `p${pid}`, state, parentPid: 1, cpuTicks, threads: 2, startTicks, residentPages: 3 };
  };
  const newTable = (): ProcessTable => new ProcessTable({ pageBytes: 4096, ticksPerSecond: 100 });

  it("knows how much CPU each has used since the reading before", () => {
    const table = newTable();
    table.update([stat(1, 100), stat(2, 100)], 1000);
    expect(table.all().map(({ cpu }) => cpu)).toEqual([0, 0]);
    table.update([stat(1, 150), stat(2, 100), stat(3, 40)], 2000);
    expect(table.all().map(({ pid, cpu }) => [pid, cpu])).toEqual([
      [1, 0.5],
      [2, 0],
      [3, 0],
    ]);
    expect(table.all()[0]).toEqual({
      pid: 1,
      parentPid: 1,
      name: "p1",
      state: ProcessState.SLEEPING,
      cpu: 0.5,
      cpuMs: 1500n,
      residentBytes: 12_288n,
      threads: 2,
      label: "",
    });
  });

  it("does not take a process for the one that had its pid before", () => {
    const table = newTable();
    table.update([stat(7, 100, 5)], 0);
    table.label(7, "first");
    table.update([stat(7, 200, 6)], 1000);
    expect(table.all()[0]).toMatchObject({ cpu: 0, label: "" });
  });

  it("keeps labels as long as their processes, and none for others", () => {
    const table = newTable();
    table.update([stat(1, 0), stat(2, 0)], 0);
    expect(table.label(1, "one")).toBe(true);
    expect(table.label(2, "two")).toBe(true);
    expect(table.label(3, "three")).toBe(false);
    table.update([stat(1, 0), stat(2, 0)], 1000);
    expect(table.all().map(({ label }) => label)).toEqual(["one", "two"]);
    expect(table.label(2, "")).toBe(true);
    table.update([stat(2, 0)], 2000);
    table.update([stat(1, 0), stat(2, 0)], 3000);
    expect(table.all().map(({ label }) => label)).toEqual(["", ""]);
  });

  it("knows the kernel's letters, and calls others unspecified", () => {
    const table = newTable();
    const letters = ["R", "S", "D", "T", "t", "Z", "I", "?"];
    table.update(
      letters.map((letter, index) => stat(index, 0, 5, letter)),
      0,
    );
    expect(table.all().map(({ state }) => state)).toEqual([1, 2, 3, 4, 4, 5, 6, 0]);
  });
});

describe("latencies", () => {
  it("have percentiles by nearest rank, in microseconds", () => {
    const latencies = new Latencies();
    expect(latencies.percentilesUs(0.5, 0.99)).toEqual([0, 0]);
    for (let i = 100; i >= 1; i--) latencies.add(i / 1000);
    expect(latencies.percentilesUs(0, 0.5, 0.985, 0.99, 1)).toEqual([1, 50, 99, 99, 100]);
  });

  it("are those of the latest 10,000", () => {
    const latencies = new Latencies();
    for (let i = 0; i < 10_000; i++) latencies.add(1000);
    for (let i = 0; i < 10_000; i++) latencies.add(1);
    expect(latencies.percentilesUs(1)).toEqual([1000]);
    expect(latencies.count).toBe(20_000);
  });
});
