/** What passed through one network interface since it came up. */
export interface InterfaceCounters {
  readonly name: string;
  readonly receivedBytes: bigint;
  readonly transmittedBytes: bigint;
  readonly receivedPackets: bigint;
  readonly transmittedPackets: bigint;
  /** Errors and drops, of both directions. */
  readonly failedPackets: bigint;
}

/** Reads /proc/net/dev. The two lines of headings, and lines with less than the 16 counters, are left out. */
export function parseNetDev(text: string): InterfaceCounters[] {
  const interfaces: InterfaceCounters[] = [];
  for (const line of text.split("\n")) {
    // Old kernels write no space after the colon.
    const colon = line.lastIndexOf(":");
    if (colon === -1) continue;
    const counters = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/);
    if (counters.length < 16 || !counters.every((counter) => /^\d+$/.test(counter))) continue;
    const at = (index: number): bigint => BigInt(counters[index]!);
    interfaces.push({
      name: line.slice(0, colon).trim(),
      receivedBytes: at(0),
      receivedPackets: at(1),
      transmittedBytes: at(8),
      transmittedPackets: at(9),
      failedPackets: at(2) + at(3) + at(10) + at(11),
    });
  }
  return interfaces;
}
