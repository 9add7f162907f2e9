// A peer made of bytes: what it sends is written by the frame code alone, without a session.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import {
  decodeFrame,
  DEFAULT_WIRE_LIMITS,
  encodeFrame,
  encodeHello,
  type Frame,
  Kind,
  PROTOCOL_VERSION,
  type WireLimits,
} from "../../runtime/wire/index.js";
import { PREAMBLE } from "../../runtime/wire/preamble.js";

/** A frame behind its length, as it goes over a byte stream. */
export function record(frame: Uint8Array): Buffer {
  const prefix: number[] = [];
  let rest = frame.length;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) prefix.push((rest % 0x80) | 0x80);
  prefix.push(rest);
  return Buffer.concat([Buffer.from(prefix), frame]);
}

/** The preamble and a Hello. */
export function introduction(limits: Partial<WireLimits> = {}): Buffer {
  const hello = encodeHello({
    minVersion: PROTOCOL_VERSION,
    maxVersion: PROTOCOL_VERSION,
    features: 0,
    limits: { ...DEFAULT_WIRE_LIMITS, ...limits },
    name: "",
    implementation: "bytes",
    incarnation: randomBytes(16),
    clock: { bootId: "", timeNamespace: 0 },
    pid: process.pid,
  });
  return Buffer.concat([PREAMBLE, record(encodeFrame({ kind: Kind.HELLO, payload: hello }))]);
}

/** Every frame that comes until the socket ends; `undefined` where what came is no preamble with frames. */
export async function framesUntilEnd(socket: Duplex): Promise<Frame[] | undefined> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  if (!socket.readableEnded) await once(socket, "end");
  const bytes = Buffer.concat(chunks);
  if (!bytes.subarray(0, PREAMBLE.length).equals(PREAMBLE)) return undefined;
  const frames: Frame[] = [];
  for (let at = PREAMBLE.length; at < bytes.length; ) {
    let length = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = bytes[at++]!;
      length += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
    }
    frames.push(decodeFrame(bytes.subarray(at, at + length)));
    at += length;
  }
  return frames;
}
