import { type Endpoint, isIpcError } from "protoipc";
import type { ProcessReport } from "../../gen/camera/v1/camera_pb.js";
import { Demo } from "../../gen/camera/v1/camera_protoipc.js";
import type { SizeTally } from "./tally.js";

/** What became of one process's frames. The fields are explained in camera.proto. */
export interface ProcessResult {
  readonly name: string;
  readonly transport: string;
  readonly lost: number;
  readonly checksumErrors: number;
  readonly snapshots: number;
  readonly sizes: readonly SizeTally[];
}

const REPORT_MS = 5000;

/** Tells the demo at `address` what became of our frames. */
export async function sendReport(endpoint: Endpoint, address: string, result: ProcessResult): Promise<void> {
  const { lost, checksumErrors, snapshots, sizes, ...rest } = result;
  const report = {
    ...rest,
    lost: BigInt(lost),
    checksumErrors: BigInt(checksumErrors),
    snapshots: BigInt(snapshots),
    sizes: sizes.map(({ frames, bytes, copies, ...size }) => {
      return { ...size, frames: BigInt(frames), bytes: BigInt(bytes), copies: BigInt(copies) };
    }),
  };
  try {
    await endpoint.client(Demo, address).report(report, { timeoutMs: REPORT_MS });
  } catch (error) {
    const why = isIpcError(error) ? error.message : String(error);
    throw new Error(`${address} could not be told the result: ${why}`, { cause: error });
  }
}

/** The result in numbers that JSON has. */
export function resultOf(report: ProcessReport): ProcessResult {
  const { name, transport, lost, checksumErrors, snapshots, sizes } = report;
  return {
    name,
    transport,
    lost: Number(lost),
    checksumErrors: Number(checksumErrors),
    snapshots: Number(snapshots),
    sizes: sizes.map(({ width, height, frames, bytes, copies, p50Us, p99Us, p999Us }) => {
      const counts = { frames: Number(frames), bytes: Number(bytes), copies: Number(copies) };
      return { width, height, ...counts, p50Us, p99Us, p999Us };
    }),
  };
}
