import { describe, expect, it } from "vitest";
import { printable } from "../../examples/hostwatch/printable.js";
import {
  bar,
  cut,
  formatBytes,
  formatRate,
  formatShare,
  formatUptime,
} from "../../examples/hostwatch/view/format.js";
import { renderLine } from "../../examples/hostwatch/view/render-line.js";
import { renderTable } from "../../examples/hostwatch/view/render-table.js";
import { emptyView, type View } from "../../examples/hostwatch/view/view.js";
import { ProcessState } from "../../gen/hostwatch/v1/hostwatch_pb.js";

const TIME = { timeMs: 1n };
const GIB = 1024n ** 3n;

function newView(cores: number): View {
  const view = emptyView();
  for (let core = cores - 1; core >= 0; core--) {
    const shares = { busy: core === 0 ? 1 : 0.5, user: 0, system: 0, ioWait: 0, steal: 0 };
    view.cores.set(core, { ...TIME, ...shares, busyMs: 0n, idleMs: 0n });
  }
  const counters = { receivedPackets: 0n, transmittedPackets: 0n, failedPackets: 0n };
  const loopback = { receiveRate: 1e9, transmitRate: 1e9, receivedBytes: 1n, transmittedBytes: 1n };
  const card = { receiveRate: 2048, transmitRate: 10, receivedBytes: GIB, transmittedBytes: 5n };
  view.interfaces.set("lo", { ...TIME, ...counters, ...loopback });
  view.interfaces.set("eth0", { ...TIME, ...counters, ...card });
  const disk = { readRate: 0, writeRate: 512, busy: 0.25, reads: 1n, writes: 1n, inFlight: 0 };
  view.disks.set("vda", { ...TIME, ...disk, readBytes: 3n * GIB, writtenBytes: 512n });
  const swap = { swapTotalBytes: 2n * GIB, swapFreeBytes: GIB };
  view.memory = {
    ...TIME,
    ...swap,
    totalBytes: 8n * GIB,
    availableBytes: 6n * GIB,
    freeBytes: 0n,
    cachedBytes: 0n,
  };
  view.load = { ...TIME, one: 0.5, five: 1, fifteen: 2, runnable: 3, threads: 99, uptimeSeconds: 93_784.9 };
  view.processes = Array.from({ length: 20 }, (_, index) => ({
    pid: 100 + index,
    parentPid: 1,
    name: index === 0 ? "bad\u001b[2Jname" : `process-${index}`,
    state: ProcessState.SLEEPING,
    cpu: 1.5,
    cpuMs: 1n,
    residentBytes: GIB,
    threads: 7,
    label: index === 1 ? "mine" : "",
  }));
  view.processCount = 77;
  view.watched = view.processes[1];
  view.answers = ["top 1 by cpu: 1 in\nit"];
  view.annotation = "busiest: 1 init";
  view.transport = "unix";
  view.samples = 1234;
  view.lost = 5;
  Object.assign(view.calls, { unary: 10, serverStream: 2, clientStream: 3, bidi: 4, oneWay: 6 });
  view.unaryP50Us = 80.5;
  view.unaryP99Us = 300;
  return view;
}

describe("formats", () => {
  it("write bytes and rates in the unit that fits", () => {
    expect([0, 1, 1023, 1024, 1536, 1024 ** 2 - 1, 1024 ** 5 * 3].map(formatBytes)).toEqual([
      "0 B",
      "1 B",
      "1023 B",
      "1.0 KiB",
      "1.5 KiB",
      "1.0 MiB",
      "3.0 PiB",
    ]);
    expect(formatBytes(2n ** 63n)).toBe("8192.0 PiB");
    expect(formatRate(2048)).toBe("2.0 KiB/s");
  });

  it("write shares, bars, times and cuts", () => {
    expect([0, 0.005, 0.994, 1, 2.5].map(formatShare)).toEqual(["0 %", "1 %", "99 %", "100 %", "250 %"]);
    expect([-1, 0, 0.5, 1, 9].map((share) => bar(share, 4))).toEqual([
      "░░░░",
      "░░░░",
      "██░░",
      "████",
      "████",
    ]);
    expect([0, 59.9, 3661, 86_400, 93_784].map(formatUptime)).toEqual([
      "00:00:00",
      "00:00:59",
      "01:01:01",
      "1 d 00:00:00",
      "1 d 02:03:04",
    ]);
    expect([cut("abc", 3), cut("abcd", 3), cut("😀😀😀", 2), cut("abc", 0)]).toEqual([
      "abc",
      "ab…",
      "😀…",
      "…",
    ]);
  });

  it("let nothing through that steers a terminal", () => {
    expect(printable("a\u001b[2J\u0007\n\u009b\u202e\u2028é 字")).toBe("a?[2J?????é 字");
  });
});

describe("the table", () => {
  it("shows all that is known", () => {
    const lines = renderTable(newView(2), { columns: 100, rows: 40 }).split("\n");
    const text = lines.join("\n");
    expect(lines[0]).toBe(
      "hostwatch · cpu 75 % · load 0.50 1.00 2.00 · 3 of 99 threads run · up 1 d 02:03:04",
    );
    expect(lines[1]).toBe("core 0   ██████████ 100 %  core 1   █████░░░░░  50 %");
    expect(text).toContain("memory   ███░░░░░░░ 2.0 GiB of 8.0 GiB, swap 1.0 GiB");
    expect(text).toMatch(/^eth0 +2\.0 KiB\/s +10 B\/s +1\.0 GiB +5 B$/m);
    expect(text.indexOf("eth0")).toBeLessThan(text.indexOf("\nlo "));
    expect(text).toMatch(/^vda +0 B\/s +512 B\/s +3\.0 GiB +512 B +25 %$/m);
    expect(text).toMatch(/^101 +150 % +1\.0 GiB +7 +sleeping +process-1 +mine$/m);
    expect(text).toContain("bad?[2Jname");
    expect(text).toContain(
      "watching 101 process-1: 150 %, 1.0 GiB\ntop 1 by cpu: 1 in?it\nbusiest: 1 init\n",
    );
    expect(lines.slice(-2)).toEqual([
      "calls: 10 unary, 2 server stream, 3 client stream, 4 bidi, 6 one-way",
      "unix · 1234 samples, 5 lost · unary p50 80.5 us, p99 300 us",
    ]);
  });

  it("fits the terminal", () => {
    for (const size of [
      { columns: 80, rows: 24 },
      { columns: 200, rows: 60 },
    ]) {
      for (const cores of [1, 2, 64, 1024]) {
        const lines = renderTable(newView(cores), size).split("\n");
        expect(lines.length, `${cores} cores`).toBeLessThan(size.rows);
        expect(Math.max(...lines.map((line) => [...line].length)), `${cores} cores`).toBeLessThanOrEqual(
          size.columns,
        );
      }
    }
    expect(renderTable(newView(64), { columns: 80, rows: 24 })).toContain("and 52 more cores");
    expect(renderTable(newView(12), { columns: 80, rows: 24 })).not.toContain("more cores");
  });

  it("has no control characters, and shows a view of nothing", () => {
    expect(renderTable(newView(3), { columns: 80, rows: 24 })).toMatch(/^[^\p{Cc}]*$/mu);
    expect(renderTable(newView(3), { columns: 80, rows: 24 })).not.toContain("\u001b");
    expect(renderTable(emptyView(), { columns: 80, rows: 24 })).toContain("cpu 0 %");
  });
});

describe("the line", () => {
  it("says the same in short", () => {
    expect(renderLine(newView(2))).toBe(
      "cpu 75 % of 2 cores | memory 25 % of 8.0 GiB | load 0.50 | network 2.0 KiB/s in, 10 B/s out | " +
        "77 processes | 1234 samples, 5 lost | 25 calls, list p50 80.5 us",
    );
    expect(renderLine(emptyView())).toContain("cpu 0 % of 0 cores | memory 0 % of 0 B | load 0.00");
  });
});
