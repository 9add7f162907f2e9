// Sends numbered records over shared memory as fast as the link takes them, in turns of the event loop, and says what
// that took. Arguments: path, how many records, how many a turn.
import { shmTransport } from "../../transports/shm/index.js";
import { ShmLink } from "../../transports/shm/shm-link.js";

const [path = "", countText = "0", perTurnText = "1"] = process.argv.slice(2);
const count = Number(countText);
const perTurn = Number(perTurnText);
const limits = { maxRecordBytes: 65_536, frameTimeoutMs: 5_000, sendBufferBytes: 262_144 };
const link = await shmTransport().dial({ kind: "path", path }, limits, undefined);
if (!(link instanceof ShmLink)) throw new Error("this is no link of shared memory");
let next = 0;

function sendTurn(): void {
  for (let i = 0; i < perTurn && next < count; i++) {
    const slot = link.reserve(64);
    if (slot === undefined) {
      link.flush();
      return;
    }
    new DataView(slot.bytes.buffer, slot.bytes.byteOffset + slot.start).setUint32(0, next, true);
    slot.bytes.fill(next & 255, slot.start + 4, slot.start + 64);
    link.commit(slot, 64);
    next++;
  }
  link.flush();
  if (next < count) setImmediate(sendTurn);
}

link.start({
  // The receiver has everything.
  onRecord() {
    process.stdout.write(`${JSON.stringify((link as ShmLink).readStats())}\n`);
    link.close();
  },
  onWritable: sendTurn,
  onClose() {
    process.exit(0);
  },
});
sendTurn();
