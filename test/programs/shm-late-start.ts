// Listens on shared memory, and starts the only link that comes when its peer is gone and nothing else is left to do. Says
// how many records came. Argument: path.
import { shmTransport } from "../../transports/shm/index.js";

const [path = ""] = process.argv.slice(2);
const limits = { maxRecordBytes: 1_048_576, frameTimeoutMs: 5_000, sendBufferBytes: 262_144 };

let records = 0;
const listener = await shmTransport().listen({ kind: "path", path }, limits, (link) => {
  void listener.close();
  setTimeout(() => {
    link.start({
      onRecord() {
        records++;
      },
      onWritable() {},
      onClose({ kind }) {
        process.stdout.write(`${JSON.stringify({ records, kind })}\n`);
      },
    });
  }, 150);
});
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
