import type {
  CoreKey,
  CoreSample,
  DiskKey,
  DiskSample,
  InterfaceKey,
  InterfaceSample,
  LoadSample,
  MemorySample,
} from "../../gen/hostwatch/v1/hostwatch_pb.js";
import type { DiskCounters } from "./proc/diskstats.js";
import type { InterfaceCounters } from "./proc/net-dev.js";
import type { HostSnapshot } from "./proc/read-host.js";
import type { CoreTicks } from "./proc/stat.js";

/** A message's fields, without what marks it as one. */
export type Plain<T> = Omit<T, "$typeName" | "$unknown">;

/** One publication of a keyed topic. */
export interface Keyed<K, M> {
  readonly key: Plain<K>;
  readonly message: Plain<M>;
}

/** What is published about one moment. */
export interface Samples {
  readonly cores: readonly Keyed<CoreKey, CoreSample>[];
  readonly interfaces: readonly Keyed<InterfaceKey, InterfaceSample>[];
  readonly disks: readonly Keyed<DiskKey, DiskSample>[];
  readonly memory: Plain<MemorySample>;
  readonly load: Plain<LoadSample>;
}

/**
 * Makes the samples of `now`; shares and rates are over the time since `before`. A core, interface or device that was
 * not there before is left out until it was there twice.
 */
export function sample(before: HostSnapshot, now: HostSnapshot, ticksPerSecond: number): Samples {
  const timeMs = BigInt(now.timeMs);
  const elapsedMs = now.atMs - before.atMs;
  return {
    cores: pairs(before.cores, now.cores, (core) => core.core).map(([old, core]) => ({
      key: { core: core.core },
      message: coreSample(old, core, timeMs, 1000 / ticksPerSecond),
    })),
    interfaces: pairs(before.interfaces, now.interfaces, (link) => link.name).map(([old, link]) => ({
      key: { name: link.name },
      message: interfaceSample(old, link, timeMs, elapsedMs),
    })),
    disks: pairs(before.disks, now.disks, (disk) => disk.device).map(([old, disk]) => ({
      key: { device: disk.device },
      message: diskSample(old, disk, timeMs, elapsedMs),
    })),
    memory: { timeMs, ...now.memory },
    load: { timeMs, ...now.load, uptimeSeconds: now.uptimeSeconds },
  };
}

/** Those of `now` that were there `before`, each after what it was then. */
function pairs<T>(before: readonly T[], now: readonly T[], keyOf: (value: T) => unknown): [T, T][] {
  const old = new Map(before.map((value) => [keyOf(value), value]));
  return now.flatMap((value): [T, T][] => {
    const was = old.get(keyOf(value));
    return was === undefined ? [] : [[was, value]];
  });
}

function coreSample(before: CoreTicks, now: CoreTicks, timeMs: bigint, tickMs: number): Plain<CoreSample> {
  // The kernel corrects some of its times downwards now and then.
  const spent = (time: (ticks: CoreTicks) => number): number => Math.max(0, time(now) - time(before));
  const busyTicks = (ticks: CoreTicks): number => ticks.user + ticks.system + ticks.steal;
  const idle = spent((ticks) => ticks.idle) + spent((ticks) => ticks.ioWait);
  const total = idle + spent(busyTicks);
  const share = (time: (ticks: CoreTicks) => number): number =>
    total === 0 ? 0 : Math.min(1, spent(time) / total);
  return {
    timeMs,
    busy: share(busyTicks),
    user: share((ticks) => ticks.user),
    system: share((ticks) => ticks.system),
    ioWait: share((ticks) => ticks.ioWait),
    steal: share((ticks) => ticks.steal),
    busyMs: BigInt(Math.round(busyTicks(now) * tickMs)),
    idleMs: BigInt(Math.round((now.idle + now.ioWait) * tickMs)),
  };
}

function interfaceSample(
  before: InterfaceCounters,
  { name: _name, ...now }: InterfaceCounters,
  timeMs: bigint,
  elapsedMs: number,
): Plain<InterfaceSample> {
  return {
    timeMs,
    receiveRate: ratePerSecond(before.receivedBytes, now.receivedBytes, elapsedMs),
    transmitRate: ratePerSecond(before.transmittedBytes, now.transmittedBytes, elapsedMs),
    ...now,
  };
}

function diskSample(
  before: DiskCounters,
  { device: _device, busyMs, ...now }: DiskCounters,
  timeMs: bigint,
  elapsedMs: number,
): Plain<DiskSample> {
  return {
    timeMs,
    readRate: ratePerSecond(before.readBytes, now.readBytes, elapsedMs),
    writeRate: ratePerSecond(before.writtenBytes, now.writtenBytes, elapsedMs),
    busy: elapsedMs <= 0 ? 0 : Math.min(1, Math.max(0, busyMs - before.busyMs) / elapsedMs),
    ...now,
  };
}

/** 0 where no time has passed, or where the counter was set back: a device of the same name took its place. */
function ratePerSecond(before: bigint, now: bigint, elapsedMs: number): number {
  return elapsedMs <= 0 || now < before ? 0 : (Number(now - before) * 1000) / elapsedMs;
}
