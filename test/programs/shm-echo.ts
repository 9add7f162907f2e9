// Listens on shared memory and sends every record back, with a block where it came with one. Arguments: path, waiting.
// Lines that it takes: "links" how many there are; "cost" what it has cost since it was asked last; "stop" it listens no
// more; "keep" it borrows every block from now on and keeps it; "exit" it ends with its links open.
import { createInterface } from "node:readline";
import { type ShmOptions, shmTransport } from "../../transports/shm/index.js";
import type { Block, Lent, Link } from "../../transports/transport.js";

const [path = "", waiting = "adaptive"] = process.argv.slice(2);
const limits = { maxRecordBytes: 67_108_864, frameTimeoutMs: 5_000, sendBufferBytes: 262_144 };
const links = new Set<Link>();
const kept: (Lent | undefined)[] = [];
let keeps = false;
let before = process.resourceUsage();

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function blockOf(link: Link, bytes: Uint8Array): Block {
  const block = link.blocks?.allocate(bytes.length);
  if (block === undefined) throw new Error(`there is no room for ${bytes.length} bytes`);
  block.bytes.set(bytes, block.start);
  return block;
}

const transport = shmTransport({ waiting: waiting as NonNullable<ShmOptions["waiting"]> });
const listener = await transport.listen({ kind: "path", path }, limits, (link) => {
  links.add(link);
  link.start({
    onRecord(bytes, start, end, received) {
      if (keeps && received !== undefined) {
        kept.push(received.borrow());
        return;
      }
      const slot = link.reserve(end - start);
      if (slot === undefined) return;
      slot.bytes.set(bytes.subarray(start, end), slot.start);
      if (received === undefined) {
        link.commit(slot, end - start);
      } else {
        const block = blockOf(link, received.copy());
        link.commitBlock?.(slot, end - start, block, block.start, block.end);
        link.blocks?.release(block);
      }
      link.flush();
    },
    onWritable() {},
    onClose(end) {
      links.delete(link);
      say({ closed: end.kind });
    },
  });
});
say({ ready: true });

for await (const line of createInterface({ input: process.stdin })) {
  if (line === "links") say({ links: links.size });
  if (line === "keep") {
    keeps = true;
    say({ keeps });
  }
  if (line === "cost") {
    const now = process.resourceUsage();
    say({
      cpuUs: now.userCPUTime + now.systemCPUTime - before.userCPUTime - before.systemCPUTime,
      switches: now.voluntaryContextSwitches - before.voluntaryContextSwitches,
    });
    before = process.resourceUsage();
  }
  if (line === "stop") {
    await listener.close();
    say({ stopped: true });
  }
  if (line === "exit") process.exit(0);
}
