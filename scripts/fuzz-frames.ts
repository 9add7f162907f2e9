import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FrameHead, readFrameHead } from "../runtime/wire/frame-head.js";
import { decodeFrame, decodeHello, WireError } from "../runtime/wire/index.js";
import { ROOT } from "../test/adversaries/compile.js";
import { CRASHES, type Fuzzed } from "./fuzz-core.js";

const MOST_BYTES = 1_024;
/** Between two looks at the clock. */
const BATCH = 2_000;

async function corpus(): Promise<Uint8Array[]> {
  const files = ["frames-good", "frames-odd", "frames-reject"];
  const texts = await Promise.all(
    files.map((name) => readFile(join(ROOT, `test/vectors/${name}.json`), "utf8")),
  );
  const vectors = texts.flatMap((text) => JSON.parse(text) as { hex: string }[]);
  return vectors
    .map(({ hex }) => Uint8Array.from(Buffer.from(hex, "hex")))
    .filter(({ length }) => length <= MOST_BYTES);
}

/** A generator that repeats for a seed: xorshift, 32 bits. */
function randomOf(seed: number): (bound: number) => number {
  let state = seed | 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

/** Changes `length` bytes of `bytes` in place; returns how many there are then. */
function change(
  bytes: Uint8Array,
  length: number,
  seeds: readonly Uint8Array[],
  random: (bound: number) => number,
): number {
  for (let changes = 1 + random(6); changes > 0; changes--) {
    const at = random(length + 1);
    switch (random(6)) {
      case 0:
        if (length < MOST_BYTES) {
          bytes.copyWithin(at + 1, at, length++);
          bytes[at] = random(256);
        }
        break;
      case 1:
        if (at < length) bytes.copyWithin(at, at + 1, length--);
        break;
      case 2: {
        const other = seeds[random(seeds.length)]!;
        const rest = other.subarray(random(other.length + 1)).subarray(0, MOST_BYTES - at);
        bytes.set(rest, at);
        length = at + rest.length;
        break;
      }
      case 3:
        if (at < length) bytes[at] = bytes[at]! ^ (1 << random(8));
        break;
      case 4:
        if (at < length) bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random(5)]!;
        break;
      default:
        if (at < length) bytes[at] = random(256);
    }
  }
  return length;
}

function mustBeWithin(what: string, from: number, to: number, start: number, end: number): void {
  if (from === -1 && to === -1) return;
  if (from < start || to > end || from > to)
    throw new Error(`${what} is [${from}, ${to}) of [${start}, ${end})`);
}

/** What must hold of any bytes: a frame whose parts lie in them, or a WireError. */
export function readAny(head: FrameHead, bytes: Uint8Array, start: number, end: number): void {
  try {
    readFrameHead(head, bytes, start, end);
    mustBeWithin("the payload", head.payloadStart, head.payloadEnd, start, end);
    mustBeWithin("the status", head.statusStart, head.statusEnd, start, end);
    if (head.methodStart !== head.methodEnd)
      mustBeWithin("the method", head.methodStart, head.methodEnd, start, end);
    for (let i = 0; i < head.metadata.length; i += 2)
      mustBeWithin("metadata", head.metadata[i]!, head.metadata[i + 1]!, start, end);
    const frame = decodeFrame(bytes, start, end);
    if (frame.payload !== undefined) decodeHello(frame.payload, 0, frame.payload.length);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
  }
}

/** Reads frames of the vectors, changed at random, for so many seconds. */
export async function fuzzFrames(seconds: number, seed: number = Date.now()): Promise<Fuzzed> {
  const seeds = await corpus();
  const random = randomOf(seed);
  const head = new FrameHead();
  // Ones before and behind: what is read outside of the frame is then no zero.
  const room = new Uint8Array(MOST_BYTES + 32).fill(0xff);
  const untilMs = performance.now() + seconds * 1_000;
  let executions = 0;
  let length = 0;
  const start = 16;
  try {
    while (performance.now() < untilMs) {
      for (let i = 0; i < BATCH; i++, executions++) {
        const from = seeds[random(seeds.length)]!;
        const frame = room.subarray(start, start + MOST_BYTES);
        frame.set(from);
        length = change(frame, from.length, seeds, random);
        readAny(head, room, start, start + length);
      }
    }
    return { target: "frames", executions, coverage: undefined, crash: undefined };
  } catch (error) {
    const file = join(CRASHES, "frames-crash");
    await mkdir(CRASHES, { recursive: true });
    await writeFile(file, room.subarray(start, start + length));
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { target: "frames", executions, coverage: undefined, crash: { file, text } };
  }
}
