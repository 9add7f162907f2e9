/** What passed through one block device since the machine started. */
export interface DiskCounters {
  readonly device: string;
  readonly reads: bigint;
  readonly writes: bigint;
  readonly readBytes: bigint;
  readonly writtenBytes: bigint;
  /** Requests in flight, now. */
  readonly inFlight: number;
  /** The time with at least one request in flight, in milliseconds. */
  readonly busyMs: number;
}

/** diskstats counts in sectors of this size, whatever the device's own is. */
const SECTOR_BYTES = 512n;

/**
 * Reads /proc/diskstats. Devices that were never read or written are left out (loop devices by the dozen), and so are
 * lines with less than the 14 fields that a kernel since 2.6.25 writes.
 */
export function parseDiskstats(text: string): DiskCounters[] {
  const disks: DiskCounters[] = [];
  for (const line of text.split("\n")) {
    const fields = line.trim().split(/\s+/);
    if (fields.length < 14 || !fields.slice(3, 14).every((field) => /^\d+$/.test(field))) continue;
    const reads = BigInt(fields[3]!);
    const writes = BigInt(fields[7]!);
    if (reads + writes === 0n) continue;
    disks.push({
      device: fields[2]!,
      reads,
      writes,
      readBytes: BigInt(fields[5]!) * SECTOR_BYTES,
      writtenBytes: BigInt(fields[9]!) * SECTOR_BYTES,
      inFlight: Number(fields[11]),
      busyMs: Number(fields[12]),
    });
  }
  return disks;
}
