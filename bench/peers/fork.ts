/**
 * Node's own IPC: a child started with a channel and `serialization: "advanced"`
 * (nodejs.org/api/child_process.html, "Advanced serialization"). Messages are sent as objects, which was faster than
 * to send protobuf-es's bytes of them. A child has one channel, so there is nothing to publish over.
 */
import type { ChildProcess } from "node:child_process";
import type { Payload } from "../../gen/bench/v1/bench_pb.js";
import { checkPayload, makePayload } from "../payload.js";
import { Counter } from "./counter.js";
import type { Peer } from "./peer.js";

/** Sends are asynchronous; every so many messages the sender waits until the channel has written them. */
const WINDOW = 256;

export const peer: Peer = {
  name: "fork",
  packages: [],
  ipcChannel: true,

  unary: {
    async serve() {
      process.on("message", (message: Payload) => process.send?.(message));
    },
    async connect({ server }) {
      const pending = new Map<number, (message: Payload) => void>();
      onMessage<Payload>(server, (message) => {
        pending.get(message.id)?.(message);
        pending.delete(message.id);
      });
      return {
        echo: (message) =>
          new Promise((resolve) => {
            pending.set(message.id, resolve);
            server.send(message);
          }),
      };
    },
  },

  stream: {
    async serve({ scenario }) {
      process.on("message", async (count: number) => {
        for (let id = 0; id < count; id++) {
          const message = makePayload(id, scenario.sizeBytes);
          if (id % WINDOW < WINDOW - 1) process.send?.(message);
          else await new Promise((resolve) => process.send?.(message, undefined, {}, resolve));
        }
      });
    },
    async connect({ server }) {
      let deliver: (message: Payload) => void = () => {};
      onMessage<Payload>(server, (message) => deliver(message));
      return {
        stream: (count, onStreamed) =>
          new Promise((resolve) => {
            let received = 0;
            deliver = (message) => {
              onStreamed(message);
              if (++received === count) resolve();
            };
            server.send(count);
          }),
      };
    },
  },

  oneWay: {
    async serve({ scenario }) {
      const pushes = new Counter();
      process.on("message", async (message: Payload | number) => {
        if (typeof message === "number") {
          await pushes.reached(message);
          process.send?.(message);
        } else {
          checkPayload(message, message.id, scenario.sizeBytes);
          pushes.add();
        }
      });
    },
    async connect({ server }) {
      let arrived: () => void = () => {};
      onMessage<number>(server, () => arrived());
      let sent = 0;
      return {
        push(message) {
          if (++sent % WINDOW > 0) {
            server.send(message);
            return undefined;
          }
          return new Promise((resolve) => server.send(message, () => resolve()));
        },
        awaitPushes: (atLeast) =>
          new Promise((resolve) => {
            arrived = resolve;
            server.send(atLeast);
          }),
      };
    },
  },
};

/** The channel is between two programs that agree on what they send, so the type is theirs to state. */
function onMessage<T>(server: ChildProcess, listener: (message: T) => void): void {
  server.on("message", listener);
}
