/** What is published without a codec. */

/** More than any peer holds back: a message is written again when it has long been sent. */
const POOL_MESSAGES = 4_096;

const pools = new Map<number, Uint8Array[]>();

/** Bytes whose first four are the number. They are changed when `POOL_MESSAGES` more have been made. */
export function makeRaw(id: number, sizeBytes: number): Uint8Array {
  const message = poolOf(sizeBytes)[id % POOL_MESSAGES]!;
  message[0] = id;
  message[1] = id >> 8;
  message[2] = id >> 16;
  message[3] = id >> 24;
  return message;
}

/** Throws unless these are the bytes of `makeRaw(id, sizeBytes)`. Compares all of them where `id` is 0. */
export function checkRaw(message: Uint8Array, id: number, sizeBytes: number): void {
  const number = message[0]! | (message[1]! << 8) | (message[2]! << 16) | (message[3]! << 24);
  if (number !== (id | 0)) throw new Error(`message ${number} arrived where ${id} was due`);
  if (message.length !== sizeBytes)
    throw new Error(`message ${id} arrived with ${message.length} bytes instead of ${sizeBytes}`);
  if (id === 0 && Buffer.compare(message, makeRaw(0, sizeBytes)) !== 0)
    throw new Error("message 0 arrived changed");
}

function poolOf(sizeBytes: number): Uint8Array[] {
  let pool = pools.get(sizeBytes);
  if (pool === undefined) {
    const template = Uint8Array.from({ length: sizeBytes }, (_, i) => (i * 31) & 0xff);
    pool = Array.from({ length: POOL_MESSAGES }, () => template.slice());
    pools.set(sizeBytes, pool);
  }
  return pool;
}
