import type { Codec } from "./codec/codec.js";
import type { ErrorDetail } from "./error.js";

/** Makes a typed detail for an `IpcError`, such as a google.rpc.BadRequest: `errorDetail(protobufEs(Schema), init)`. */
export function errorDetail<Init>(codec: Codec<Init, unknown>, init: Init): ErrorDetail {
  const bytes = new Uint8Array(codec.maxSize(init));
  return { typeName: codec.typeName, value: bytes.subarray(0, codec.encodeInto(init, bytes, 0)) };
}
