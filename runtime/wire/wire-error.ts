/** Bytes that break the wire protocol. The message names the rule, the value and the limit, and no foreign data. */
export class WireError extends Error {
  override readonly name = "WireError";
}
