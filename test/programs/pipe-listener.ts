// Listens on a pipe, and sends every record back. Argument: the path of the door.
import { pipeTransport } from "../../transports/pipe/index.js";
import { makeFifos } from "../harness/make-fifos.js";

const [path = ""] = process.argv.slice(2);
const limits = { maxRecordBytes: 1_048_576, frameTimeoutMs: 5_000, sendBufferBytes: 262_144 };
await pipeTransport({ makeFifos }).listen({ kind: "path", path }, limits, (link) => {
  link.start({
    onRecord(bytes, start, end) {
      const slot = link.reserve(end - start);
      if (slot === undefined) return;
      slot.bytes.set(bytes.subarray(start, end), slot.start);
      link.commit(slot, end - start);
      link.flush();
    },
    onWritable() {},
    onClose() {},
  });
});
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
