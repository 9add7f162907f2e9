/** The times of one core since the machine started, in clock ticks. */
export interface CoreTicks {
  readonly core: number;
  /** Programs, niced ones included; guests are programs. */
  readonly user: number;
  /** The kernel, interrupts included. */
  readonly system: number;
  readonly idle: number;
  /** Idle while a disk was waited for. */
  readonly ioWait: number;
  /** Taken by the hypervisor for others. */
  readonly steal: number;
}

/**
 * Reads /proc/stat. The line of all cores together is left out, and so is a line without the four times that every
 * kernel tells; the later ones count as 0 where they are missing.
 */
export function parseStat(text: string): CoreTicks[] {
  const cores: CoreTicks[] = [];
  for (const line of text.split("\n")) {
    const name = /^cpu(\d+) /.exec(line);
    if (name === null) continue;
    const [user, nice, system, idle, ioWait = 0, irq = 0, softIrq = 0, steal = 0] = line
      .trim()
      .split(/\s+/)
      .slice(1)
      .map(Number);
    if (user === undefined || nice === undefined || system === undefined || idle === undefined) continue;
    cores.push({
      core: Number(name[1]),
      user: user + nice,
      system: system + irq + softIrq,
      idle,
      ioWait,
      steal,
    });
  }
  return cores;
}
