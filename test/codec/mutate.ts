import fc from "fast-check";

/** Bytes that mean something where a tag, a length or a number stands. */
const TELLING = [0, 1, 2, 3, 5, 8, 0x0a, 0x0b, 0x0c, 0x12, 0x7f, 0x80, 0x81, 0xff, 0xc0, 0xe0, 0xf8];

/** One change to a message's bytes. */
type Change = (bytes: Uint8Array, at: number, byte: number, length: number) => Uint8Array;

const CHANGES: readonly Change[] = [
  // One byte is another one.
  (bytes, at, byte) => spliced(bytes, at, 1, [byte]),
  (bytes, at, byte) => spliced(bytes, at, 1, [TELLING[byte % TELLING.length]!]),
  (bytes, at, byte) => spliced(bytes, at, 1, [(bytes[at] ?? 0) ^ (1 << (byte & 7))]),
  // One more, one fewer, an end.
  (bytes, at, byte) => spliced(bytes, at, 0, [byte]),
  (bytes, at, byte) => spliced(bytes, at, 0, [TELLING[byte % TELLING.length]!]),
  (bytes, at) => spliced(bytes, at, 1, []),
  (bytes, at) => bytes.slice(0, at),
  // A part comes twice, goes, or stands somewhere else; all of it comes twice.
  (bytes, at, _byte, length) => spliced(bytes, at, 0, [...bytes.subarray(at, at + length)]),
  (bytes, at, _byte, length) => spliced(bytes, at, length, []),
  (bytes, at, byte, length) =>
    spliced(bytes, byte % (bytes.length + 1), 0, [...bytes.subarray(at, at + length)]),
  (bytes) => spliced(bytes, 0, 0, [...bytes]),
  // A number is longer than it must be.
  (bytes, at) =>
    (bytes[at] ?? 0) < 0x80 ? spliced(bytes, at, 1, [(bytes[at] ?? 0) | 0x80, 0x80, 0]) : bytes,
];

function spliced(bytes: Uint8Array, at: number, removed: number, added: readonly number[]): Uint8Array {
  return Uint8Array.from([...bytes.subarray(0, at), ...added, ...bytes.subarray(at + removed)]);
}

/** What becomes of a message's bytes on a faulty way. */
export function mutations(): fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> {
  const change = fc.record({
    kind: fc.nat(CHANGES.length - 1),
    at: fc.nat(1_000_000),
    byte: fc.nat(255),
    length: fc.integer({ min: 1, max: 20 }),
  });
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => (bytes) => {
    for (const { kind, at, byte, length } of changes) {
      bytes = CHANGES[kind]!(bytes, at % (bytes.length + 1), byte, length);
    }
    return bytes;
  });
}
