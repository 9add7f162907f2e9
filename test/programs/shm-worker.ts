// A worker thread that dials shared memory and keeps it busy until it is terminated. It says "busy" when it is.
import { parentPort, workerData } from "node:worker_threads";
import { type ShmOptions, shmTransport } from "../../transports/shm/index.js";
import type { Lent } from "../../transports/transport.js";

interface Task {
  readonly path: string;
  readonly waiting: NonNullable<ShmOptions["waiting"]>;
  /** Receives on its own thread, and not from the event loop. */
  readonly blocks: boolean;
}

const { path, waiting, blocks } = workerData as Task;
const limits = { maxRecordBytes: 8_388_608, frameTimeoutMs: 5_000, sendBufferBytes: 262_144 };
const link = await shmTransport({ waiting }).dial({ kind: "path", path }, limits, undefined);
const borrowed: (Lent | undefined)[] = [];
let records = 0;

function send(): void {
  const slot = link.reserve(64);
  if (slot === undefined) return;
  slot.bytes.fill(1, slot.start, slot.start + 64);
  const block = ++records % 10 === 0 ? link.blocks?.allocate(100_000) : undefined;
  if (block === undefined) {
    link.commit(slot, 64);
  } else {
    const isCommitted = link.commitBlock?.(slot, 64, block, block.start, block.end);
    if (isCommitted !== true) link.commit(slot, 64);
    link.blocks?.release(block);
  }
}

link.start({
  onRecord(_bytes, _start, _end, block) {
    if (block !== undefined) borrowed.push(block.borrow());
    if (borrowed.length > 20) borrowed.shift()?.end();
    send();
    link.flush();
  },
  onWritable() {},
  onClose() {},
});
for (let i = 0; i < 50; i++) send();
link.flush();
parentPort?.postMessage("busy");
if (blocks) for (;;) link.receiveBlocking?.(10_000);
