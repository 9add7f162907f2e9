import { IpcError } from "../error.js";
import { encodeFrame } from "../wire/frame.js";
import { DEFAULT_WIRE_LIMITS } from "../wire/hello.js";
import { decodeStatus } from "../wire/status.js";
import { Kind } from "../wire/kinds.js";
import { statusOf } from "./status.js";

/** The CLOSE frame that tells a peer what is wrong with its bytes, for transports that find it out themselves. */
export function closingRecord(message: string): Uint8Array {
  const status = statusOf(
    new IpcError("INTERNAL", `protocol error: ${message}`),
    DEFAULT_WIRE_LIMITS.maxHeaderBytes,
  );
  return encodeFrame({ kind: Kind.CLOSE, status: decodeStatus(status, 0, status.length) });
}
