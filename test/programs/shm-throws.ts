// Sends itself records over shared memory, and its receiver throws at some. Says how many came and how many errors.
// Argument: path, and "exit" to end the process from within a record.
import { shmTransport } from "../../transports/shm/index.js";

const [path = "", what = ""] = process.argv.slice(2);
const limits = { maxRecordBytes: 1_048_576, frameTimeoutMs: 5_000, sendBufferBytes: 262_144 };
const TOTAL = 1_000;
const messages = new Set<string>();
let errors = 0;
let records = 0;
process.on("uncaughtException", (error) => {
  errors++;
  messages.add(error.message);
});

const transport = shmTransport();
const listener = await transport.listen({ kind: "path", path }, limits, (link) => {
  link.start({
    onRecord(_bytes, _start, _end, block) {
      records++;
      if (what === "exit" && records === 10) process.exit(7);
      if (records % 3 === 0) throw new Error("a receiver must not throw");
      block?.copy();
    },
    onWritable() {},
    onClose() {
      process.stdout.write(`${JSON.stringify({ records, errors, messages: [...messages] })}\n`);
    },
  });
});
const link = await transport.dial({ kind: "path", path }, limits, undefined);
link.start({ onRecord() {}, onWritable() {}, onClose: () => void listener.close() });
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
for (let i = 0; i < TOTAL; i++) {
  const slot = link.reserve(8);
  if (slot === undefined) throw new Error("the link is full");
  const block = i % 9 === 0 ? link.blocks?.allocate(10_000) : undefined;
  if (block === undefined) link.commit(slot, 8);
  else if (link.commitBlock?.(slot, 8, block, block.start, block.end) !== true)
    throw new Error("it holds too much");
  if (block !== undefined) link.blocks?.release(block);
}
link.close();
