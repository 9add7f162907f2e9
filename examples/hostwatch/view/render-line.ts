import { formatBytes, formatRate, formatShare } from "./format.js";
import { meanBusy, memoryShare, networkRates, type View } from "./view.js";

/** The view in one line, for files and pipes. */
export function renderLine(view: View): string {
  const { receive, transmit } = networkRates(view);
  const calls = Object.values(view.calls).reduce((sum, count) => sum + count, 0);
  return [
    `cpu ${formatShare(meanBusy(view))} of ${view.cores.size} cores`,
    `memory ${formatShare(memoryShare(view))} of ${formatBytes(view.memory?.totalBytes ?? 0)}`,
    `load ${(view.load?.one ?? 0).toFixed(2)}`,
    `network ${formatRate(receive)} in, ${formatRate(transmit)} out`,
    `${view.processCount} processes`,
    `${view.samples} samples, ${view.lost} lost`,
    `${calls} calls, list p50 ${view.unaryP50Us} us`,
  ].join(" | ");
}
