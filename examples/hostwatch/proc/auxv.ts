/** Units that the kernel counts in. */
export interface KernelUnits {
  readonly pageBytes: number;
  /** Of the times in /proc. */
  readonly ticksPerSecond: number;
}

const AT_PAGESZ = 6;
const AT_CLKTCK = 17;

/**
 * Reads /proc/[pid]/auxv, pairs of native words of `wordBytes` (4 or 8). What it does not tell is taken to be 4,096
 * bytes and 100 ticks, which nearly every Linux has.
 */
export function parseAuxv(bytes: Buffer, wordBytes: 4 | 8, endianness: "BE" | "LE"): KernelUnits {
  const values = new Map<number, number>();
  for (let at = 0; at + 2 * wordBytes <= bytes.length; at += 2 * wordBytes) {
    values.set(
      readWord(bytes, at, wordBytes, endianness),
      readWord(bytes, at + wordBytes, wordBytes, endianness),
    );
  }
  return { pageBytes: values.get(AT_PAGESZ) ?? 4096, ticksPerSecond: values.get(AT_CLKTCK) ?? 100 };
}

function readWord(bytes: Buffer, at: number, wordBytes: 4 | 8, endianness: "BE" | "LE"): number {
  if (wordBytes === 4) return endianness === "LE" ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
  return Number(endianness === "LE" ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at));
}
