import type { Transport } from "../transport.js";
import { type FifoOptions, fifoTransport } from "./fifo.js";

export { type MakeFifos, makeFifosBy, mkfifoProgram, NO_MKFIFO } from "./make-fifos.js";

export type PipeOptions = FifoOptions;

/** Links over the system's pipes, as byte streams: pairs of FIFOs. Not on Windows. */
export function pipeTransport(options: PipeOptions = {}): Transport {
  return fifoTransport(options);
}
