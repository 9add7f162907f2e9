import type { Code } from "./code.js";
import { IpcError, isIpcError } from "./error.js";

/** Why a message of a peer is not taken: `what` is above a limit that the codec names, or is no such message. */
export function undecodable(what: string, typeName: string, code: Code, cause: unknown): IpcError {
  if (!isIpcError(cause)) return new IpcError(code, `${what} is no valid ${typeName}`, { cause });
  const { code: causeCode, rawMessage, details } = cause;
  const peerMessage = `${what}: ${cause.peerMessage}`;
  return new IpcError(causeCode, `${what}: ${rawMessage}`, { details, peerMessage, cause });
}
