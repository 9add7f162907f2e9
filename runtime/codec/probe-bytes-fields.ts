import type { BytesField } from "./codec.js";
import { LENGTH_DELIMITED, TopLevelFields } from "./top-level-fields.js";

/** No length and no text of anything else: what the fields of bytes are recognised by. */
const MARKER = Uint8Array.of(0xb1, 0xf0, 0x0d, 0xff, 0x3a, 0xc5, 0x88, 0x01, 0x9e, 0xe7, 0x42, 0xd6);

/**
 * The fields of bytes of a message of which there is only code that encodes it, found by trying: each property that may
 * hold bytes is given some, and the one that comes out with them is a field of bytes. `empty` is a message without content.
 */
export function probeBytesFields(
  empty: object,
  encode: (message: object) => Uint8Array,
): ReadonlyMap<number, BytesField> {
  const fields = new Map<number, BytesField>();
  for (const [name, unset] of Object.entries(empty)) {
    // Other kinds of arrays (Buffers) are the user's choice, and stay.
    const isBytes = unset instanceof Uint8Array && Object.getPrototypeOf(unset) === Uint8Array.prototype;
    if (!isBytes && unset !== undefined && unset !== null) continue;
    const number = numberOf(() => encode({ ...empty, [name]: MARKER }));
    if (number !== undefined) fields.set(number, { name, unset });
  }
  return fields;
}

function numberOf(encode: () => Uint8Array): number | undefined {
  try {
    const bytes = encode();
    const fields = new TopLevelFields(bytes, 0, bytes.length);
    while (fields.next()) {
      if (fields.wireType === LENGTH_DELIMITED && isMarker(bytes, fields.valueStart, fields.end)) {
        return fields.number;
      }
    }
  } catch {
    // A property of another kind takes no bytes.
  }
  return undefined;
}

function isMarker(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === MARKER.length && MARKER.every((byte, index) => bytes[start + index] === byte);
}
