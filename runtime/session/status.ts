import { codeFromNumber, codeToNumber } from "../code.js";
import { IpcError } from "../error.js";
import type { Metadata } from "../metadata.js";
import { encodeStatus, type WireStatus } from "../wire/status.js";

const TYPE_URL_PREFIX = "type.googleapis.com/";

/** The bytes of a status beside its message: the code, tags and lengths. */
const OTHER_STATUS_BYTES = 32;
const MAX_UTF8_BYTES_PER_UNIT = 3;

/**
 * The error as a status for the wire, of at most half of `maxHeaderBytes`; the rest of the header is metadata's. Where
 * that is too little, the details stay here, and then the end of the message. The cause and the stack always do.
 */
export function statusOf(error: IpcError, maxHeaderBytes: number): Uint8Array {
  const code = codeToNumber(error.code);
  const message = error.peerMessage;
  const details = error.details.map(({ typeName, value }) => ({
    typeUrl: TYPE_URL_PREFIX + typeName,
    value,
  }));
  const room = Math.floor(maxHeaderBytes / 2);
  const whole = encodeStatus({ code, message, details });
  if (whole.length <= room) return whole;
  const bare = encodeStatus({ code, message, details: [] });
  if (bare.length <= room) return bare;
  const units = Math.max(0, Math.floor((room - OTHER_STATUS_BYTES) / MAX_UTF8_BYTES_PER_UNIT));
  return encodeStatus({ code, message: message.slice(0, units), details: [] });
}

/** A peer's status as an error; `undefined` for OK. */
export function errorOf(
  status: WireStatus,
  maybeExecuted: boolean,
  trailer: Metadata | undefined,
): IpcError | undefined {
  if (status.code === 0) return undefined;
  const details = status.details.map(({ typeUrl, value }) => ({
    typeName: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
    value,
  }));
  return new IpcError(codeFromNumber(status.code), status.message, {
    details,
    metadata: trailer,
    maybeExecuted,
  });
}

/** The same error with another word on whether the call may have been executed. */
export function withMaybeExecuted(error: IpcError, maybeExecuted: boolean): IpcError {
  if (error.maybeExecuted === maybeExecuted) return error;
  const { code, rawMessage, peerMessage, details, metadata, cause } = error;
  return new IpcError(code, rawMessage, { details, metadata, maybeExecuted, cause, peerMessage });
}
