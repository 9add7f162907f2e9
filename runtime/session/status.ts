import { codeFromNumber, codeToNumber } from "../code.js";
import { IpcError } from "../error.js";
import type { Metadata } from "../metadata.js";
import { encodeStatus, type WireStatus } from "../wire/status.js";

const TYPE_URL_PREFIX = "type.googleapis.com/";

/** The error as a status for the wire. The cause and the stack stay here. */
export function statusOf(error: IpcError): Uint8Array {
  return encodeStatus({
    code: codeToNumber(error.code),
    message: error.rawMessage,
    details: error.details.map(({ typeName, value }) => ({ typeUrl: TYPE_URL_PREFIX + typeName, value })),
  });
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
  const { code, rawMessage, details, metadata, cause } = error;
  return new IpcError(code, rawMessage, { details, metadata, maybeExecuted, cause });
}
