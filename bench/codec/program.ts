/** Measures one library with one message, in a process of its own: `program.js LIBRARY SAMPLE MILLISECONDS`. */
import { type LibraryName, loadLibrary } from "./libraries.js";
import { type SampleName, sampleOf, VARIANTS } from "./samples.js";

/** Nanoseconds for each operation; only those that the library has. */
export interface Times {
  readonly bytes: number;
  readonly encode: number;
  readonly encodeInto?: number;
  readonly decode: number;
  readonly decodeViews?: number;
  /** Copying the encoded message, for comparison. */
  readonly copy: number;
}

const [name, sample, milliseconds] = process.argv.slice(2);
const library = await loadLibrary(name as LibraryName, sample as SampleName);
const messages = Array.from({ length: sample === "Large" ? 4 : VARIANTS }, (_, variant) =>
  library.make(sampleOf(sample as SampleName, variant)),
);
// As from a transport: memory that is not small enough to stand among objects.
const encoded = messages.map((message) => {
  const bytes = library.encode(message);
  const room = new Uint8Array(new ArrayBuffer(Math.max(256, bytes.length)));
  room.set(bytes);
  return room.subarray(0, bytes.length);
});

/** Where results go, so that nobody leaves out what makes them. */
let sink: unknown = 0;

function measure(operation: (index: number) => unknown): number {
  const mask = messages.length - 1;
  const until = (ms: number): number => {
    const start = process.hrtime.bigint();
    const end = start + BigInt(ms) * 1_000_000n;
    let count = 0;
    let now = start;
    do {
      for (let i = 0; i < 16; i++) sink = operation((count + i) & mask) ?? sink;
      count += 16;
      // The clock is asked now and then.
      if ((count & 0x3ff) === 0 || sample === "Large" || sample === "Numeric") now = process.hrtime.bigint();
    } while (now < end);
    return Number(now - start) / count;
  };
  const ms = Number(milliseconds);
  until(ms);
  const rounds = Array.from({ length: 5 }, () => until(ms / 5)).sort((a, b) => a - b);
  return rounds[2]!;
}

const target = new Uint8Array(new ArrayBuffer(4_194_304));
const { encodeInto, decodeViews } = library;
const times: Times = {
  bytes: encoded[0]!.length,
  encode: measure((i) => library.encode(messages[i])),
  ...(encodeInto === undefined ? {} : { encodeInto: measure((i) => encodeInto(messages[i], target)) }),
  decode: measure((i) => library.decode(encoded[i]!)),
  ...(decodeViews === undefined ? {} : { decodeViews: measure((i) => decodeViews(encoded[i]!)) }),
  copy: measure((i) => target.set(encoded[i]!)),
};
if (sink === 0) throw new Error("nothing was measured");
process.stdout.write(JSON.stringify(times));
