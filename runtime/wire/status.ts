import { FieldReader, WireType } from "./field-reader.js";
import { MessageBuilder } from "./field-writer.js";

/** The number of google.rpc.Code.UNKNOWN. */
const UNKNOWN = 2;

/** protoipc.v1.Status: how a call or link ended. */
export interface WireStatus {
  /** A number of google.rpc.Code. */
  readonly code: number;
  readonly message: string;
  readonly details: readonly { readonly typeUrl: string; readonly value: Uint8Array }[];
}

/** The status as a protobuf message. */
export function encodeStatus(status: WireStatus): Uint8Array {
  const builder = new MessageBuilder().number(1, status.code).string(2, status.message);
  for (const { typeUrl, value } of status.details) {
    const detail = new MessageBuilder().string(1, typeUrl);
    if (value.length > 0) detail.bytes(2, value);
    builder.bytes(3, detail.finish());
  }
  return builder.finish();
}

/** Reads a status. Values are copies. Throws `WireError`. */
export function decodeStatus(bytes: Uint8Array, start: number, end: number): WireStatus {
  const reader = new FieldReader(bytes, start, end);
  let code = 0;
  let message = "";
  const details: { typeUrl: string; value: Uint8Array }[] = [];
  while (reader.next()) {
    if (reader.field === 1) code = readCode(reader);
    else if (reader.field === 2) message = reader.string();
    else if (reader.field === 3) {
      reader.delimited();
      details.push(decodeDetail(bytes, reader.valueStart, reader.valueEnd));
    } else reader.skip();
  }
  return { code, message, details };
}

/** A number that is none of google.rpc.Code is UNKNOWN; so is a negative one, which takes ten bytes. */
function readCode(reader: FieldReader): number {
  try {
    return reader.number();
  } catch (error) {
    if (reader.wireType !== WireType.VARINT) throw error;
    reader.skip();
    return UNKNOWN;
  }
}

function decodeDetail(bytes: Uint8Array, start: number, end: number): { typeUrl: string; value: Uint8Array } {
  const reader = new FieldReader(bytes, start, end);
  let typeUrl = "";
  let value = new Uint8Array(0);
  while (reader.next()) {
    if (reader.field === 1) typeUrl = reader.string();
    else if (reader.field === 2) {
      reader.delimited();
      value = bytes.slice(reader.valueStart, reader.valueEnd);
    } else reader.skip();
  }
  return { typeUrl, value };
}
