import type { ViewerReport } from "../../gen/hostwatch/v1/hostwatch_pb.js";
import type { Plain } from "./samples.js";
import type { Calls } from "./view/view.js";

/** What a run of the demo has shown: its last line of output. */
export interface DemoResult {
  readonly transport: string;
  /** Publications that the daemon made and that matched the viewer's subscriptions. */
  readonly published: number;
  /** Publications that the viewer received. */
  readonly samples: number;
  /** Publications that the viewer was told it had lost. */
  readonly lost: number;
  /** Calls that ended well. */
  readonly calls: Calls;
  /** The encoded messages of the samples, without their keys and frames. */
  readonly bytes: number;
  readonly unaryP50Us: number;
  readonly unaryP99Us: number;
}

/** Puts together what the daemon and the viewer have counted. */
export function demoResult(published: bigint, report: Plain<ViewerReport>): DemoResult {
  const { transport, samples, lost, bytes, calls, unaryP50Us, unaryP99Us } = report;
  return {
    transport,
    published: Number(published),
    samples: Number(samples),
    lost: Number(lost),
    calls: {
      unary: Number(calls?.unary ?? 0n),
      serverStream: Number(calls?.serverStream ?? 0n),
      clientStream: Number(calls?.clientStream ?? 0n),
      bidi: Number(calls?.bidi ?? 0n),
      oneWay: Number(calls?.oneWay ?? 0n),
    },
    bytes: Number(bytes),
    unaryP50Us,
    unaryP99Us,
  };
}

/** What is wrong with a result, a sentence each; nothing when the run was as it must be. */
export function problemsOf(result: DemoResult, stalled: boolean): string[] {
  const { published, samples, lost, calls } = result;
  const problems: string[] = [];
  if (samples + lost !== published) {
    problems.push(
      `${published} publications were made, but ${samples} received and ${lost} reported as lost`,
    );
  }
  if (samples === 0) problems.push("nothing was received");
  if (stalled && lost === 0) problems.push("the viewer was stopped for a while, but nothing was lost");
  if (!stalled && lost > 0) problems.push(`${lost} publications were lost`);
  for (const [kind, count] of Object.entries(calls)) {
    if (count === 0) problems.push(`no ${kind} call ended well`);
  }
  return problems;
}
