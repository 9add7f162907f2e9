import type { Transport } from "../transport.js";
import { type FifoOptions, fifoTransport } from "./fifo.js";
import { windowsPipeTransport } from "./windows.js";

export { type MakeFifos, makeFifosBy, mkfifoProgram, NO_MKFIFO } from "./make-fifos.js";

export type PipeOptions = FifoOptions;

/** Links over the system's pipes, as byte streams: pairs of FIFOs; on Windows, named pipes. */
export function pipeTransport(options: PipeOptions = {}): Transport {
  return process.platform === "win32" ? windowsPipeTransport(options) : fifoTransport(options);
}
