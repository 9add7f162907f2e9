import type { Lent, ReceivedBlock } from "../../transports/transport.js";
import type { Codec } from "./codec.js";
import { LENGTH_DELIMITED, TopLevelFields } from "./top-level-fields.js";

/**
 * A field of fewer bytes is copied. From here on memory of one's own costs more than borrowing and giving back: it has to
 * be collected, and comes from the system anew each time. Transports put no less into a block.
 */
export const MIN_BORROWED_BYTES = 16_384;

/** A message, and the sender's memory that some of its fields are views of. */
export interface BorrowedMessage {
  readonly message: unknown;
  /** `undefined`: all of the message is private. */
  readonly lent: Lent | undefined;
  /** The properties of the message that are views of `lent`. */
  readonly names: readonly string[];
}

/** Where a large field stands. */
interface Large {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

const NO_NAMES: readonly string[] = [];

/**
 * Decodes the message in a block, and leaves its large fields of bytes where they are. The sender can write to that memory
 * at any time, so that no decoder may see it: everything else is copied first, and decoded there. Throws what the codec
 * throws; then nothing is borrowed.
 */
export function borrowMessage(
  codec: Codec<unknown, unknown>,
  block: ReceivedBlock,
  maxNesting: number | undefined,
): BorrowedMessage {
  const fields = codec.bytesFields?.();
  const mayBorrow = block.length >= MIN_BORROWED_BYTES && fields !== undefined && fields.size > 0;
  const lent = mayBorrow ? block.borrow() : undefined;
  if (lent === undefined) return copied(codec, block.copy(), maxNesting);
  try {
    const { rest, larges } = split(lent.bytes, (number) => fields!.get(number)?.name);
    const message = codec.decode(rest, 0, rest.length, true, maxNesting);
    if (larges.length === 0) {
      lent.end();
      return { message, lent: undefined, names: NO_NAMES };
    }
    const values = message as Record<string, unknown>;
    for (const { name, start, end } of larges) values[name] = lent.bytes.subarray(start, end);
    return { message, lent, names: larges.map(({ name }) => name) };
  } catch (error) {
    lent.end();
    throw error;
  }
}

function copied(
  codec: Codec<unknown, unknown>,
  bytes: Uint8Array,
  maxNesting: number | undefined,
): BorrowedMessage {
  const message = codec.decode(bytes, 0, bytes.length, true, maxNesting);
  return { message, lent: undefined, names: NO_NAMES };
}

/** Finds the large fields among those that `nameOf` knows, and copies all that is around them. */
function split(
  bytes: Uint8Array,
  nameOf: (number: number) => string | undefined,
): { readonly rest: Uint8Array; readonly larges: Large[] } {
  const larges = new Map<number, Large>();
  const pieces: Uint8Array[] = [];
  let restBytes = 0;
  let copiedUpTo = 0;
  const keepUpTo = (end: number): void => {
    if (end === copiedUpTo) return;
    pieces.push(bytes.subarray(copiedUpTo, end));
    restBytes += end - copiedUpTo;
  };
  const fields = new TopLevelFields(bytes, 0, bytes.length);
  while (fields.next()) {
    if (fields.wireType !== LENGTH_DELIMITED) continue;
    const { number, start, valueStart, end } = fields;
    const name = nameOf(number);
    if (name === undefined) continue;
    // Of a field that comes twice, the last counts.
    if (end - valueStart < MIN_BORROWED_BYTES) {
      larges.delete(number);
      continue;
    }
    larges.set(number, { name, start: valueStart, end });
    keepUpTo(start);
    copiedUpTo = end;
  }
  keepUpTo(bytes.length);
  const rest = new Uint8Array(restBytes);
  let offset = 0;
  for (const piece of pieces) {
    rest.set(piece, offset);
    offset += piece.length;
  }
  return { rest, larges: [...larges.values()] };
}
