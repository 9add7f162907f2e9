// Claims an endpoint name, listens on its Unix socket, and sends every record back. Says when it does, or why it does
// not. Arguments: root, domain, name.
import { claimName } from "../../transports/directory/index.js";
import { unixTransport } from "../../transports/unix/index.js";

const [path = "", domain = "", name = ""] = process.argv.slice(2);
const root = { path, rule: "PROTOIPC_DIR" } as const;
const claim = await claimName({ root, domain, name, incarnation: "00", implementation: "" }).catch(
  (error: unknown) => {
    process.stdout.write(`${JSON.stringify({ ready: false, reason: String(error) })}\n`);
    process.exit(1);
  },
);
const limits = { maxRecordBytes: 1_048_576, frameTimeoutMs: 5_000, sendBufferBytes: 262_144 };
await unixTransport().listen({ kind: "name", name, directory: claim.directory }, limits, (link) => {
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
await claim.announce({ transports: ["unix"], services: [], topics: [] });
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
