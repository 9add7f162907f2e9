/** How the memory is used, in bytes. */
export interface MemoryUse {
  readonly totalBytes: bigint;
  readonly availableBytes: bigint;
  readonly freeBytes: bigint;
  /** Buffers, page cache and the slabs that can be given back. */
  readonly cachedBytes: bigint;
  readonly swapTotalBytes: bigint;
  readonly swapFreeBytes: bigint;
}

/** Reads /proc/meminfo. A line that is missing counts as 0. */
export function parseMeminfo(text: string): MemoryUse {
  const bytes = new Map<string, bigint>();
  for (const line of text.split("\n")) {
    const match = /^([^:\s]+):\s+(\d+) kB$/.exec(line);
    if (match !== null) bytes.set(match[1]!, BigInt(match[2]!) * 1024n);
  }
  const get = (name: string): bigint => bytes.get(name) ?? 0n;
  const freeBytes = get("MemFree");
  const cachedBytes = get("Buffers") + get("Cached") + get("SReclaimable");
  return {
    totalBytes: get("MemTotal"),
    // Kernels before 3.14 do not tell; this is what tools guessed then.
    availableBytes: bytes.get("MemAvailable") ?? freeBytes + cachedBytes,
    freeBytes,
    cachedBytes,
    swapTotalBytes: get("SwapTotal"),
    swapFreeBytes: get("SwapFree"),
  };
}
