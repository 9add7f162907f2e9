// Decodes what a process publishes and answers whose memory somebody changes. Arguments: the publisher's name, seconds,
// and what it does with the messages:
//   copy    as everybody: subscribes, and calls
//   borrow  subscribes so that large fields stay in the publisher's memory, and copies what it looks at
//   direct  as "borrow", but decodes text straight out of that memory, which nobody must
// On standard output, one line of JSON at the end, where there is one.
import { setTimeout as sleep } from "node:timers/promises";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { IpcError, open } from "../../index.js";

const [target = "", seconds = "1", mode = "copy"] = process.argv.slice(2);
const untilMs = performance.now() + Number(seconds) * 1_000;
/** How a message that makes no sense, and the end of a link that makes none, are told. */
const EXPECTED: ReadonlySet<string> = new Set([
  "INTERNAL",
  "DATA_LOSS",
  "UNAVAILABLE",
  "INVALID_ARGUMENT",
  "CANCELLED",
]);
const decoder = new TextDecoder();
const errors: Record<string, number> = {};
const unexpected: string[] = [];
let decoded = 0;
let borrowed = 0;
let unstable = 0;
process.on("unhandledRejection", (reason) => unexpected.push(`unhandled: ${String(reason)}`));

const endpoint = await open();
const isOver = (): boolean => performance.now() > untilMs;

function note(error: unknown): void {
  const { code, message } = IpcError.from(error);
  errors[code] = (errors[code] ?? 0) + 1;
  if (!EXPECTED.has(code)) unexpected.push(`${code}: ${message}`);
}

/** A digest of memory that is cheap: two looks at what nobody changes give the same. */
function look(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 61) sum = (sum * 31 + bytes[i]!) | 0;
  return sum;
}

/** What is private does not change while others run. */
async function checkPrivate(text: string, body: Uint8Array): Promise<void> {
  const before = [look(body), text.length, text.codePointAt(text.length >> 1)];
  await sleep(1);
  const after = [look(body), text.length, text.codePointAt(text.length >> 1)];
  if (before.some((value, index) => value !== after[index])) unstable++;
}

async function subscribe(): Promise<void> {
  for await (const { message } of endpoint.subscribe(Echo.keyed, {}, { from: target })) {
    decoded++;
    await checkPrivate(message.text, message.body);
    if (isOver()) return;
  }
}

/** Twice the same bytes, were they private. */
function decodeTwice(bytes: Uint8Array): void {
  for (let turn = 0; turn < 20; turn++) {
    const first = decoder.decode(bytes);
    const second = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
    if (first !== second) unstable++;
  }
}

async function subscribeBorrowing(): Promise<void> {
  const subscription = endpoint.subscribe(Echo.keyed, {}, { from: target, borrow: true });
  for await (const { message, isBorrowed } of subscription) {
    decoded++;
    if (isBorrowed) borrowed++;
    if (mode === "direct") {
      if (isBorrowed) decodeTwice(message.body);
    } else {
      decoder.decode(message.body.slice());
    }
    if (isOver()) return;
  }
}

async function call(): Promise<void> {
  const { text, body } = await endpoint.client(Echo, target).say({ text: "é".repeat(100), number: decoded });
  decoded++;
  await checkPrivate(text, body);
}

async function forAsLongAsItTakes(run: () => Promise<void>): Promise<void> {
  while (!isOver()) {
    try {
      await run();
    } catch (error) {
      note(error);
      await sleep(5);
    }
  }
}

const parts = mode === "copy" ? [subscribe, call] : [subscribeBorrowing];
await Promise.all(parts.map(forAsLongAsItTakes));
process.stdout.write(
  `${JSON.stringify({ decoded, borrowed, unstable, errors, unexpected: unexpected.slice(0, 5) })}\n`,
);
process.exit(0);
