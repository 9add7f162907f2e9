/**
 * The floor: node:net over a Unix socket with nothing but a length prefix, a kind and a number per frame, the frames
 * of one turn in one write (nodejs.org/api/net.html, `socket.write`; nodejs.org/api/stream.html, `writable.cork`), and
 * protobuf-es at both ends.
 */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Payload, PayloadSchema } from "../../gen/bench/v1/bench_pb.js";
import { checkPayload, makePayload } from "../payload.js";
import { Counter, waitForSubscribers } from "./counter.js";
import { type FrameHandler, FrameSocket } from "./net-frames.js";
import type { Peer, Setting } from "./peer.js";

/** Kinds of frames. */
const ECHO = 1;
const STREAM = 2;
const PUSH = 3;
const AWAIT_PUSHES = 4;
const SUBSCRIBE = 5;
const PUBLICATION = 6;

const NOTHING = new Uint8Array(0);

export const peer: Peer = {
  name: "net",
  packages: ["@bufbuild/protobuf"],

  unary: {
    serve: (setting) =>
      listen(setting, (frames) => (kind, number, payload) => {
        frames().send(kind, number, encode(fromBinary(PayloadSchema, payload)));
      }),
    async connect(setting) {
      const pending = new Map<number, (message: Payload) => void>();
      let lastNumber = 0;
      const frames = await dial(setting, (_kind, number, payload) => {
        pending.get(number)?.(fromBinary(PayloadSchema, payload));
        pending.delete(number);
      });
      return {
        echo: (message) =>
          new Promise((resolve) => {
            lastNumber = (lastNumber + 1) >>> 0;
            pending.set(lastNumber, resolve);
            frames.send(ECHO, lastNumber, encode(message));
          }),
      };
    },
  },

  stream: {
    serve: (setting) =>
      listen(setting, (frames) => async (_kind, count) => {
        for (let id = 0; id < count; id++) {
          frames().send(STREAM, id, encode(makePayload(id, setting.scenario.sizeBytes)));
          const room = frames().room();
          if (room !== undefined) await room;
        }
      }),
    async connect(setting) {
      let deliver: (message: Payload) => void = () => {};
      const frames = await dial(setting, (_kind, _number, payload) =>
        deliver(fromBinary(PayloadSchema, payload)),
      );
      return {
        stream: (count, onMessage) =>
          new Promise((resolve) => {
            let received = 0;
            deliver = (message) => {
              onMessage(message);
              if (++received === count) resolve();
            };
            frames.send(STREAM, count, NOTHING);
          }),
      };
    },
  },

  oneWay: {
    serve: (setting) => {
      const pushes = new Counter();
      return listen(setting, (frames) => async (kind, number, payload) => {
        if (kind === PUSH) {
          const message = fromBinary(PayloadSchema, payload);
          checkPayload(message, message.id, setting.scenario.sizeBytes);
          pushes.add();
        } else {
          await pushes.reached(number);
          frames().send(AWAIT_PUSHES, number, NOTHING);
        }
      });
    },
    async connect(setting) {
      let arrived: () => void = () => {};
      const frames = await dial(setting, () => arrived());
      return {
        push(message) {
          frames.send(PUSH, 0, encode(message));
          return frames.room();
        },
        awaitPushes: (atLeast) =>
          new Promise((resolve) => {
            arrived = resolve;
            frames.send(AWAIT_PUSHES, atLeast, NOTHING);
          }),
      };
    },
  },

  publish: {
    async serve(setting) {
      const { sizeBytes, subscribers } = setting.scenario;
      const subscribed: FrameSocket[] = [];
      await listen(setting, (frames) => () => void subscribed.push(frames()));
      return {
        async publish(count) {
          await waitForSubscribers(subscribers, () => subscribed.length);
          for (let id = 0; id < count; id++) {
            const bytes = encode(makePayload(id, sizeBytes));
            for (const frames of subscribed) frames.send(PUBLICATION, id, bytes);
            for (const frames of subscribed) {
              const room = frames.room();
              if (room !== undefined) await room;
            }
          }
        },
      };
    },
    async connect(setting) {
      return {
        async subscribe(onMessage) {
          for (let i = 0; i < (setting.scenario.subscribers ?? 1); i++) {
            const frames = await dial(setting, (_kind, _number, payload) =>
              onMessage(i, fromBinary(PayloadSchema, payload)),
            );
            frames.send(SUBSCRIBE, 0, NOTHING);
          }
        },
      };
    },
  },
};

function encode(message: Payload): Uint8Array {
  return toBinary(PayloadSchema, message);
}

/** `handlerFor` is asked once per connection, and gets a function because the handler is made before its socket. */
async function listen(
  setting: Setting,
  handlerFor: (frames: () => FrameSocket) => FrameHandler,
): Promise<void> {
  const server = createServer((socket) => {
    const frames: FrameSocket = new FrameSocket(
      socket,
      handlerFor(() => frames),
    );
  });
  server.listen(join(setting.directory, "net"));
  await once(server, "listening");
}

async function dial(setting: Setting, onFrame: FrameHandler): Promise<FrameSocket> {
  const socket = connect(join(setting.directory, "net"));
  await once(socket, "connect");
  return new FrameSocket(socket, onFrame);
}
