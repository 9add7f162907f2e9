import { type FrameSize, sizeName } from "./frame-size.js";
import type { ProcessResult } from "./report.js";
import type { SizeTally } from "./tally.js";

/** What a run of the demo has shown: its last line of output. */
export interface DemoResult {
  /** That was asked for. */
  readonly transport: string;
  /** That were asked for, per second. */
  readonly fps: number;
  readonly producer: ProducerResult;
  readonly consumers: readonly ConsumerResult[];
  /** How the latencies of two sizes compare; empty where there was one size. */
  readonly comparisons: readonly Comparison[];
}

export interface ProducerResult {
  readonly frames: number;
  readonly bytes: number;
  readonly copies: number;
  readonly sizes: readonly SizeTally[];
}

export interface ConsumerResult extends ProducerResult {
  readonly name: string;
  /** That its link had. */
  readonly transport: string;
  /** Frames that it was told it had lost. With `frames`, those that it received, these are all that were published. */
  readonly lost: number;
  readonly checksumErrors: number;
  readonly snapshots: number;
}

/** The latencies of the larger frames, divided by those of the smaller ones. */
export interface Comparison {
  readonly consumer: string;
  readonly larger: string;
  readonly smaller: string;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** Puts together what the processes have reported. A process that has reported nothing has zeros. */
export function demoResult(
  plan: { readonly transport: string; readonly fps: number; readonly consumers: readonly string[] },
  reports: ReadonlyMap<string, ProcessResult>,
): DemoResult {
  const consumers = plan.consumers.map((name) => {
    const report = reports.get(name);
    const { transport = "", lost = 0, checksumErrors = 0, snapshots = 0 } = report ?? {};
    return { name, transport, ...totals(report), lost, checksumErrors, snapshots };
  });
  const comparisons = consumers.flatMap(({ name, sizes }) => compare(name, sizes) ?? []);
  const producer = withCopiesFor(consumers, totals(reports.get("producer")));
  return { transport: plan.transport, fps: plan.fps, producer, consumers, comparisons };
}

/** A frame that a consumer could not borrow came through its link, into which the producer has copied it. */
function withCopiesFor(
  consumers: readonly ProducerResult[],
  { sizes, ...rest }: ProducerResult,
): ProducerResult {
  const received = consumers.flatMap((consumer) => consumer.sizes);
  const counted = sizes.map((size) => {
    const same = received.filter((other) => sizeName(other) === sizeName(size));
    return { ...size, copies: sumOf(same, ({ copies }) => copies) };
  });
  return { ...rest, sizes: counted, copies: sumOf(counted, ({ copies }) => copies) };
}

function totals(report: ProcessResult | undefined): ProducerResult {
  const sizes = report?.sizes ?? [];
  return {
    frames: sumOf(sizes, ({ frames }) => frames),
    bytes: sumOf(sizes, ({ bytes }) => bytes),
    copies: sumOf(sizes, ({ copies }) => copies),
    sizes,
  };
}

function sumOf(sizes: readonly SizeTally[], of: (size: SizeTally) => number): number {
  return sizes.reduce((sum, size) => sum + of(size), 0);
}

function compare(consumer: string, sizes: readonly SizeTally[]): Comparison | undefined {
  const [larger, smaller] = [...sizes].sort((a, b) => area(b) - area(a));
  if (larger === undefined || smaller === undefined) return undefined;
  const ratio = (above: number, below: number): number =>
    below === 0 ? 0 : Math.round((above / below) * 100) / 100;
  return {
    consumer,
    larger: sizeName(larger),
    smaller: sizeName(smaller),
    p50: ratio(larger.p50Us, smaller.p50Us),
    p99: ratio(larger.p99Us, smaller.p99Us),
    p999: ratio(larger.p999Us, smaller.p999Us),
  };
}

function area({ width, height }: FrameSize): number {
  return width * height;
}

/** What is wrong with the result of a run that nothing ended early, a sentence each. */
export function problemsOf({ producer, consumers, transport }: DemoResult): string[] {
  const problems: string[] = [];
  if (producer.frames === 0) problems.push("nothing was published");
  for (const { name, frames, lost, checksumErrors, transport: own } of consumers) {
    if (frames === 0) problems.push(`the ${name} received nothing`);
    if (frames + lost !== producer.frames) {
      problems.push(
        `${producer.frames} frames were published, but the ${name} received ${frames} and was told it lost ${lost}`,
      );
    }
    if (checksumErrors > 0) problems.push(`the ${name} found ${checksumErrors} frames with a wrong checksum`);
    if (own !== transport) problems.push(`the ${name} has a link over ${own || "nothing"}, not ${transport}`);
  }
  return problems;
}
