import type { Payload } from "../gen/bench/v1/bench_pb.js";

/** What id, tag and the headers of the three fields take, about. */
const OVERHEAD_BYTES = 15;

const bodies = new Map<number, Uint8Array>();

/** A message whose encoding has about `sizeBytes` bytes. Those of one size share their body. */
export function makePayload(id: number, sizeBytes: number): Payload {
  return { $typeName: "bench.v1.Payload", id, tag: "bench", body: bodyOf(sizeBytes) };
}

/** A large message is read whole, always: a peer may leave it where it is, where it costs nothing until it is read. */
const READ_WHOLE_FROM_BYTES = 65_536;

/**
 * Throws unless the message is the one made with `makePayload(id, sizeBytes)`. Compares every byte where `id` is 0 or the
 * message is large.
 */
export function checkPayload(message: Payload, id: number, sizeBytes: number): void {
  const body = bodyOf(sizeBytes);
  if (message.id !== id) throw new Error(`message ${message.id} arrived where ${id} was due`);
  if (message.body.length !== body.length || message.tag !== "bench") {
    throw new Error(
      `message ${id} arrived with a body of ${message.body.length} bytes instead of ${body.length}`,
    );
  }
  const isWhole = id === 0 || sizeBytes >= READ_WHOLE_FROM_BYTES;
  if (isWhole && Buffer.compare(message.body, body) !== 0)
    throw new Error(`the body of message ${id} arrived changed`);
}

function bodyOf(sizeBytes: number): Uint8Array {
  let body = bodies.get(sizeBytes);
  if (body === undefined) {
    body = Uint8Array.from({ length: sizeBytes - OVERHEAD_BYTES }, (_, i) => (i * 31) & 0xff);
    bodies.set(sizeBytes, body);
  }
  return body;
}
