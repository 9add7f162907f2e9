// A child process without an endpoint. It answers each record with whether it stood where the one before it stood: 1 or 0.
import { DEFAULT_LIMITS } from "../../index.js";
import { inheritedLink, takeParentStreams } from "../../transports/inherited/index.js";

const { maxMessageBytes, maxHeaderBytes, frameTimeoutMs, sendBufferBytes } = DEFAULT_LIMITS;
const link = inheritedLink({
  ...takeParentStreams(process.env),
  location: "the parent",
  peer: { pid: process.ppid, uid: undefined, gid: undefined, verifiedBy: "process" },
  limits: { maxRecordBytes: maxMessageBytes + maxHeaderBytes, frameTimeoutMs, sendBufferBytes },
});
let before: ArrayBufferLike | undefined;
link.start({
  onRecord({ buffer }) {
    const slot = link.reserve(1);
    if (slot === undefined) throw new Error("there is no room for a byte");
    slot.bytes[slot.start] = buffer === before ? 1 : 0;
    link.commit(slot, 1);
    link.flush();
    before = buffer;
  },
  onWritable() {},
  onClose() {},
});
