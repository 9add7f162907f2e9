/** The codes of google.rpc.Code, which are gRPC's, without OK. */
export const CODES = [
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;

/** Why a call or a link failed, in the words of google.rpc.Code. */
export type Code = (typeof CODES)[number];

/** The number of a code on the wire, from 1 to 16. */
export function codeToNumber(code: Code): number {
  return CODES.indexOf(code) + 1;
}

/** The code of a number on the wire. A number that no code has is UNKNOWN, as gRPC treats it. */
export function codeFromNumber(number: number): Code {
  return CODES[number - 1] ?? "UNKNOWN";
}
