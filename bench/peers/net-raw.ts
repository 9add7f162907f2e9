/**
 * The floor of records in Node: node:net over a Unix socket, the bytes of a record and nothing else. The client reads
 * into one buffer (nodejs.org/api/net.html, `onread`), which a server's sockets do not have.
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { latencyUs, RECORD_BYTES, RecordMemory, writeSentAt } from "../record.js";
import type { Peer, Setting } from "./peer.js";

const READ_BYTES = 65_536;
const PERIOD_MS = 1;

type OnRecord = (bytes: Uint8Array, start: number, end: number) => void;

export const peer: Peer = {
  name: "net-raw",
  packages: [],

  record: {
    serve: (setting) =>
      listen(setting, (socket) => {
        const incoming = new RecordMemory();
        const outgoing = new RecordMemory();
        const reply = Buffer.allocUnsafeSlow(RECORD_BYTES);
        let number = 0;
        const onRecord: OnRecord = (bytes, start, end) => {
          incoming.check(bytes, start, end, ++number);
          outgoing.write(reply, 0, number);
          socket.write(reply);
        };
        const split = splitter(onRecord);
        socket.on("data", (chunk: Buffer) => split(chunk, chunk.length));
      }),
    async connect(setting) {
      let onRecord: OnRecord = () => {};
      const socket = await dial(setting, (bytes, start, end) => onRecord(bytes, start, end));
      const incoming = new RecordMemory();
      const outgoing = new RecordMemory();
      const request = Buffer.allocUnsafeSlow(RECORD_BYTES);
      return {
        run: (next) =>
          new Promise((resolve) => {
            let number = 0;
            const send = (): void => {
              outgoing.write(request, 0, ++number);
              socket.write(request);
            };
            onRecord = (bytes, start, end) => {
              incoming.check(bytes, start, end, number);
              if (next()) send();
              else resolve();
            };
            if (next()) send();
          }),
      };
    },
  },

  wakeUp: {
    serve: (setting) =>
      listen(setting, (socket) => {
        setInterval(() => {
          const message = Buffer.alloc(RECORD_BYTES);
          writeSentAt(message, 0);
          socket.write(message);
        }, PERIOD_MS);
      }),
    async connect(setting) {
      return {
        async receive(onMessage) {
          await dial(setting, (bytes, start) => onMessage(latencyUs(bytes, start, process.hrtime.bigint())));
        },
      };
    },
  },
};

/** Makes records of chunks. One that is whole in its chunk is not copied. */
function splitter(onRecord: OnRecord): (bytes: Uint8Array, length: number) => void {
  const partial = Buffer.allocUnsafeSlow(RECORD_BYTES);
  let partialBytes = 0;
  return (bytes, length) => {
    let start = 0;
    while (start < length) {
      const missing = RECORD_BYTES - partialBytes;
      if (partialBytes === 0 && length - start >= RECORD_BYTES) {
        onRecord(bytes, start, start + RECORD_BYTES);
        start += RECORD_BYTES;
        continue;
      }
      const part = bytes.subarray(start, Math.min(start + missing, length));
      partial.set(part, partialBytes);
      partialBytes += part.length;
      start += part.length;
      if (partialBytes < RECORD_BYTES) continue;
      partialBytes = 0;
      onRecord(partial, 0, RECORD_BYTES);
    }
  };
}

async function listen(setting: Setting, onSocket: (socket: Socket) => void): Promise<void> {
  const server = createServer((socket) => {
    // A socket whose peer is gone: the program is over.
    socket.on("error", () => socket.destroy());
    onSocket(socket);
  });
  server.listen(join(setting.directory, "net-raw"));
  await once(server, "listening");
}

async function dial(setting: Setting, onRecord: OnRecord): Promise<Socket> {
  const split = splitter(onRecord);
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  const socket = connect({
    path: join(setting.directory, "net-raw"),
    onread: {
      buffer,
      callback(length) {
        split(buffer, length);
        return true;
      },
    },
  });
  await once(socket, "connect");
  return socket;
}
