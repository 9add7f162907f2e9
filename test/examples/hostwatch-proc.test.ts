import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parseAuxv } from "../../examples/hostwatch/proc/auxv.js";
import { parseDiskstats } from "../../examples/hostwatch/proc/diskstats.js";
import { parseLoadavg } from "../../examples/hostwatch/proc/loadavg.js";
import { parseMeminfo } from "../../examples/hostwatch/proc/meminfo.js";
import { parseNetDev } from "../../examples/hostwatch/proc/net-dev.js";
import { parsePidStat } from "../../examples/hostwatch/proc/pid-stat.js";
import { readHost, readKernelUnits } from "../../examples/hostwatch/proc/read-host.js";
import { readProcess, readProcesses } from "../../examples/hostwatch/proc/read-processes.js";
import { parseStat } from "../../examples/hostwatch/proc/stat.js";
import { parseUptime } from "../../examples/hostwatch/proc/uptime.js";

/** A part of a real /proc, with some odd processes added. */
const PROC = fileURLToPath(new URL("hostwatch-proc", import.meta.url));
const fixture = (name: string): string => readFileSync(`${PROC}/${name}`, "utf8");

describe("stat", () => {
  it("has one entry per core, and none for all together", () => {
    expect(parseStat(fixture("stat"))).toEqual([
      { core: 0, user: 20633, system: 4316 + 151, idle: 195095, ioWait: 26, steal: 7 },
      { core: 1, user: 21409, system: 4886 + 292, idle: 193116, ioWait: 705, steal: 14 },
    ]);
  });

  it("adds niced programs to programs, and takes missing times as 0", () => {
    expect(parseStat("cpu7 1 2 3 4\n")).toEqual([
      { core: 7, user: 3, system: 3, idle: 4, ioWait: 0, steal: 0 },
    ]);
  });

  it("leaves out lines that are cut short, and cores that are off have none", () => {
    expect(
      parseStat("cpu  1 2 3 4\ncpu0 1 2 3\ncpu1\ncpu5 1 1 1 1 1 1 1 1 1 1\n").map(({ core }) => core),
    ).toEqual([5]);
    expect(parseStat("")).toEqual([]);
  });
});

describe("meminfo", () => {
  it("is in bytes", () => {
    const memory = parseMeminfo(fixture("meminfo"));
    expect(memory.totalBytes).toBe(24_684_096n * 1024n);
    expect(memory.availableBytes).toBeGreaterThan(0n);
    expect(memory.availableBytes).toBeLessThan(memory.totalBytes);
    expect(memory.swapTotalBytes).toBe(0n);
  });

  it("guesses what is available where the kernel does not tell", () => {
    const memory = parseMeminfo(
      "MemTotal: 100 kB\nMemFree: 10 kB\nBuffers: 1 kB\nCached: 20 kB\nHugePages_Total: 9\n",
    );
    expect(memory).toEqual({
      totalBytes: 102_400n,
      availableBytes: 31n * 1024n,
      freeBytes: 10_240n,
      cachedBytes: 21n * 1024n,
      swapTotalBytes: 0n,
      swapFreeBytes: 0n,
    });
  });
});

describe("loadavg and uptime", () => {
  it("read what the kernel writes", () => {
    expect(parseLoadavg(fixture("loadavg"))).toEqual({
      one: 2.77,
      five: 1.82,
      fifteen: 0.78,
      runnable: 4,
      threads: 117,
    });
    expect(parseUptime(fixture("uptime"))).toBe(2211.27);
  });

  it("refuse anything else with a sentence that shows it", () => {
    expect(() => parseLoadavg("1 2\n")).toThrow('loadavg is "1 2\\n"; expected such as');
    expect(() => parseUptime("")).toThrow('uptime is ""; expected such as');
  });
});

describe("diskstats", () => {
  it("has the devices that were used", () => {
    expect(parseDiskstats(fixture("diskstats"))).toEqual([
      {
        device: "vda",
        reads: 67_133n,
        writes: 8_599n,
        readBytes: 4_300_762n * 512n,
        writtenBytes: 3_025_384n * 512n,
        inFlight: 0,
        busyMs: 10_776,
      },
    ]);
  });

  it("takes the 14 fields of old kernels, counters beyond 2^53, and no shorter line", () => {
    const lines = [
      "8 0 sda 1 0 18446744073709551615 0 2 0 4 0 3 5 0",
      "8 1 sda1 9 9 9 9",
      "",
      "8 2 sdb x 1 1 1 1 1 1 1 1 1 1",
    ];
    const disks = parseDiskstats(lines.join("\n"));
    expect(disks.map(({ device }) => device)).toEqual(["sda"]);
    expect(disks[0]!.readBytes).toBe(18_446_744_073_709_551_615n * 512n);
    expect(disks[0]!.inFlight).toBe(3);
  });
});

describe("net/dev", () => {
  it("has every interface", () => {
    const interfaces = parseNetDev(fixture("net/dev"));
    expect(interfaces.map(({ name }) => name)).toEqual(["lo", "ifb0", "ifb1", "eth0"]);
    expect(interfaces[3]).toEqual({
      name: "eth0",
      receivedBytes: 442_006_443n,
      receivedPackets: 11_113n,
      transmittedBytes: 661_891n,
      transmittedPackets: 6_729n,
      failedPackets: 0n,
    });
  });

  it("wants no space after the colon, counts errors and drops, and leaves out lines that are cut short", () => {
    const [link, ...others] = parseNetDev("wlan0.1:9 8 1 2 0 0 0 0 7 6 3 4 0 0 0 0\n eth1: 1 2 3\n");
    expect(link).toMatchObject({
      name: "wlan0.1",
      receivedBytes: 9n,
      transmittedBytes: 7n,
      failedPackets: 10n,
    });
    expect(others).toEqual([]);
  });
});

describe("a process's stat", () => {
  it("is read whatever the process calls itself", () => {
    expect(parsePidStat(fixture("4242/stat"))).toEqual({
      pid: 4242,
      name: "a) R (odd) name",
      state: "S",
      parentPid: 1,
      cpuTicks: 200,
      threads: 3,
      startTicks: 117_869,
      residentPages: 380,
    });
    expect(parsePidStat(fixture("4243/stat"))).toMatchObject({ name: "two\nlines", state: "Z", cpuTicks: 3 });
    expect(parsePidStat(fixture("2/stat"))).toMatchObject({ name: "kthreadd", parentPid: 0, startTicks: 24 });
  });

  it("is undefined where it is cut short or something else", () => {
    for (const text of [fixture("4244/stat"), "", "4242 (name", "4242 name S 1", "x (name) S 1"]) {
      expect(parsePidStat(text), text).toBeUndefined();
    }
  });
});

describe("auxv", () => {
  it("tells page and tick in words of either size and order", () => {
    const wide = Buffer.alloc(32);
    [6n, 16_384n, 17n, 250n].forEach((value, index) => {
      wide.writeBigUInt64LE(value, index * 8);
    });
    expect(parseAuxv(wide, 8, "LE")).toEqual({ pageBytes: 16_384, ticksPerSecond: 250 });
    const narrow = Buffer.alloc(19);
    [6, 8192, 17, 1000].forEach((value, index) => {
      narrow.writeUInt32BE(value, index * 4);
    });
    expect(parseAuxv(narrow, 4, "BE")).toEqual({ pageBytes: 8192, ticksPerSecond: 1000 });
  });

  it("is not needed", () => {
    expect(parseAuxv(Buffer.alloc(0), 8, "LE")).toEqual({ pageBytes: 4096, ticksPerSecond: 100 });
    expect(readKernelUnits(PROC)).toEqual({ pageBytes: 4096, ticksPerSecond: 100 });
  });
});

describe("reading a proc file system", () => {
  it("finds the machine's state, without what this system does not show", () => {
    const host = readHost(PROC);
    expect(host.cores).toHaveLength(2);
    expect(host.interfaces).toHaveLength(4);
    expect(host.disks).toHaveLength(1);
    expect(host.load.one).toBe(2.77);
  });

  it("leaves out processes that vanish between the listing and the reading, or are not to be read", async () => {
    const processes = await readProcesses(PROC);
    expect(processes.map(({ pid }) => pid).sort((a, b) => a - b)).toEqual([2, 4242, 4243]);
    expect(readProcess(PROC, 4245)).toBeUndefined();
    expect(readProcess(PROC, 4_194_305)).toBeUndefined();
  });

  it("works on this machine, where this process is to be found", async () => {
    const host = readHost("/proc");
    expect(host.cores.length).toBeGreaterThan(0);
    expect(host.memory.totalBytes).toBeGreaterThan(0n);
    expect(host.uptimeSeconds).toBeGreaterThan(0);
    const units = readKernelUnits("/proc");
    expect(Math.log2(units.pageBytes) % 1).toBe(0);
    const self = (await readProcesses("/proc")).find(({ pid }) => pid === process.pid);
    expect(self).toMatchObject({ parentPid: process.ppid });
    const residentBytes = self!.residentPages * units.pageBytes;
    expect(residentBytes / process.memoryUsage().rss).toBeGreaterThan(0.5);
    expect(residentBytes / process.memoryUsage().rss).toBeLessThan(2);
  });
});
