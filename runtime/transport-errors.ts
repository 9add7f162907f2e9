import type { TransportError } from "../transports/transport.js";
import type { Code } from "./code.js";
import { IpcError } from "./error.js";

const CODES: Readonly<Record<TransportError["kind"], Code>> = {
  notFound: "UNAVAILABLE",
  inUse: "ALREADY_EXISTS",
  busy: "UNAVAILABLE",
  denied: "PERMISSION_DENIED",
  invalid: "INVALID_ARGUMENT",
  unavailable: "UNAVAILABLE",
};

/** The message itself names paths of this machine. */
const PEER_MESSAGE = "another endpoint cannot be reached";

/** What a transport or the directory of names threw, in the words of calls. */
export function fromTransportError(error: unknown): IpcError {
  if (error instanceof Error && error.name === "TransportError" && "kind" in error) {
    const code = CODES[error.kind as TransportError["kind"]];
    if (code !== undefined)
      return new IpcError(code, error.message, { cause: error, peerMessage: PEER_MESSAGE });
  }
  return IpcError.from(error, "UNAVAILABLE");
}
