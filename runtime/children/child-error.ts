import type { Code } from "../code.js";
import { IpcError } from "../error.js";

/** A command may be a path, and what a process has written may be anything. */
const PEER_MESSAGE = "a process that this endpoint has started is not there";

/** Why there is no process to call, for whoever has started it; peers to whom a handler hands it on are told no more than that. */
export function childError(code: Code, message: string, cause?: unknown): IpcError {
  return new IpcError(code, message, { cause, peerMessage: PEER_MESSAGE });
}
