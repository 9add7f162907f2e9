/**
 * zeromq over ipc://, each case with the sockets that its guide has for it (zguide.zeromq.org, chapters 2 and 3):
 * REQ and REP for one call at a time, DEALER and ROUTER for many, PUSH and PULL for streams and one-way messages, XPUB
 * and SUB for publishing, with `noDrop` (ZMQ_XPUB_NODROP) so that nothing is lost. The high-water marks hold
 * `QUEUE_BYTES` where the default of 1,000 messages would hold more; where CPU time is measured there are none, so that
 * none is used to ask for room. Messages are encoded with protobuf-es. The library's I/O thread runs on the same CPU as
 * its process.
 */
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import * as zmq from "zeromq";
import { type Payload, PayloadSchema } from "../../gen/bench/v1/bench_pb.js";
import { checkPayload, makePayload } from "../payload.js";
import { makeRaw } from "../raw.js";
import { Counter, waitForSubscribers } from "./counter.js";
import type { Peer, PublishSides, Setting, UnaryClient } from "./peer.js";

const QUEUE_BYTES = 16_777_216;
const DEFAULT_QUEUE_MESSAGES = 1_000;

export const peer: Peer = {
  name: "zeromq",
  packages: ["zeromq", "@bufbuild/protobuf"],

  unary: {
    serve: (setting) =>
      setting.scenario.case === "unary-rtt" ? serveReplies(setting) : serveRouter(setting),
    connect: async (setting) =>
      setting.scenario.case === "unary-rtt" ? requestClient(setting) : dealerClient(setting),
  },

  stream: {
    async serve(setting) {
      const push = new zmq.Push(sending(setting));
      await push.bind(address(setting, "data"));
      void answer(setting, async (count) => {
        for (let id = 0; id < count; id++) {
          await push.send(encode(makePayload(id, setting.scenario.sizeBytes)));
        }
      });
    },
    async connect(setting) {
      const pull = new zmq.Pull(receiving(setting));
      pull.connect(address(setting, "data"));
      const ask = asker(setting);
      return {
        async stream(count, onMessage) {
          const answered = ask(count);
          for (let received = 0; received < count; received++) {
            const [bytes] = await pull.receive();
            onMessage(decode(bytes));
          }
          await answered;
        },
      };
    },
  },

  oneWay: {
    async serve(setting) {
      const pushes = new Counter();
      const pull = new zmq.Pull(receiving(setting));
      await pull.bind(address(setting, "data"));
      void answer(setting, (atLeast) => pushes.reached(atLeast));
      void countPushes(pull, pushes, setting.scenario.sizeBytes);
    },
    async connect(setting) {
      const push = new zmq.Push(sending(setting));
      push.connect(address(setting, "data"));
      return { push: (message) => push.send(encode(message)), awaitPushes: asker(setting) };
    },
  },

  publish: publishing(encodePayload, decode),
  publishCpu: publishing(encodePayload, decode),
  publishRaw: publishing(makeRaw, (bytes) => bytes),
};

async function serveReplies(setting: Setting): Promise<void> {
  const reply = new zmq.Reply();
  await reply.bind(address(setting, "data"));
  void (async () => {
    for await (const [bytes] of reply) await reply.send(encode(decode(bytes)));
  })();
}

function requestClient(setting: Setting): UnaryClient {
  const request = new zmq.Request();
  request.connect(address(setting, "data"));
  return {
    oneAtATime: true,
    async echo(message) {
      await request.send(encode(message));
      const [bytes] = await request.receive();
      return decode(bytes);
    },
  };
}

async function serveRouter(setting: Setting): Promise<void> {
  const router = new zmq.Router();
  await router.bind(address(setting, "data"));
  void (async () => {
    for await (const [caller = "", bytes] of router) await router.send([caller, encode(decode(bytes))]);
  })();
}

function dealerClient(setting: Setting): UnaryClient {
  const dealer = new zmq.Dealer();
  dealer.connect(address(setting, "data"));
  const pending = new Map<number, (message: Payload) => void>();
  void (async () => {
    for await (const [bytes] of dealer) {
      const message = decode(bytes);
      pending.get(message.id)?.(message);
      pending.delete(message.id);
    }
  })();
  // A socket takes one send at a time.
  const waiting: Uint8Array[] = [];
  let isSending = false;
  const sendWaiting = async (): Promise<void> => {
    isSending = true;
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await dealer.send(next);
    isSending = false;
  };
  return {
    echo: (message) =>
      new Promise((resolve, reject) => {
        pending.set(message.id, resolve);
        waiting.push(encode(message));
        if (!isSending) sendWaiting().catch(reject);
      }),
  };
}

async function countPushes(pull: zmq.Pull, pushes: Counter, sizeBytes: number): Promise<void> {
  for await (const [bytes] of pull) {
    const message = decode(bytes);
    checkPayload(message, message.id, sizeBytes);
    pushes.add();
  }
}

function publishing<Message>(
  make: (id: number, sizeBytes: number) => Uint8Array,
  read: (bytes: Buffer) => Message,
): PublishSides<Message> {
  return {
    async serve(setting) {
      const { sizeBytes, subscribers } = setting.scenario;
      const publisher = new zmq.XPublisher({
        ...sending(setting),
        noDrop: true,
        verbosity: "allSubs",
      });
      await publisher.bind(address(setting, "data"));
      let subscribed = 0;
      void (async () => {
        for await (const _subscription of publisher) subscribed++;
      })();
      return {
        async publish(count) {
          await waitForSubscribers(subscribers, () => subscribed);
          for (let id = 0; id < count; id++) await sendWhenPossible(publisher, make(id, sizeBytes));
        },
      };
    },
    async connect(setting) {
      return {
        async subscribe(onMessage) {
          for (let i = 0; i < (setting.scenario.subscribers ?? 1); i++) {
            const subscriber = new zmq.Subscriber(receiving(setting));
            subscriber.connect(address(setting, "data"));
            subscriber.subscribe();
            void (async () => {
              for await (const [bytes] of subscriber) onMessage(i, read(firstPart(bytes)));
            })();
          }
        },
      };
    },
  };
}

/** With `noDrop` a full queue is an error; the socket does not wait for room as others do. */
async function sendWhenPossible(publisher: zmq.XPublisher, bytes: Uint8Array): Promise<void> {
  for (;;) {
    try {
      await publisher.send(bytes);
      return;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
      await setImmediate();
    }
  }
}

/** Runs `action` for each number that `asker` sends, and answers when it is done. */
async function answer(setting: Setting, action: (number: number) => Promise<void>): Promise<void> {
  const reply = new zmq.Reply();
  await reply.bind(address(setting, "control"));
  for await (const [number] of reply) {
    await action(Number(number));
    await reply.send("");
  }
}

function asker(setting: Setting): (number: number) => Promise<void> {
  const request = new zmq.Request();
  request.connect(address(setting, "control"));
  return async (number) => {
    await request.send(String(number));
    await request.receive();
  };
}

function encode(message: Payload): Uint8Array {
  return toBinary(PayloadSchema, message);
}

function encodePayload(id: number, sizeBytes: number): Uint8Array {
  return encode(makePayload(id, sizeBytes));
}

function decode(bytes: Buffer | undefined): Payload {
  return fromBinary(PayloadSchema, firstPart(bytes));
}

/** Messages have at least one part; the type of what is received does not say so. */
function firstPart(bytes: Buffer | undefined): Buffer {
  if (bytes === undefined) throw new Error("a message without a part was received");
  return bytes;
}

function address(setting: Setting, name: string): string {
  return `ipc://${join(setting.directory, name)}`;
}

/** 0: no high-water mark. */
function queueMessages(setting: Setting): number {
  if (setting.scenario.case === "publish-cpu") return 0;
  return Math.min(DEFAULT_QUEUE_MESSAGES, Math.ceil(QUEUE_BYTES / setting.scenario.sizeBytes));
}

function sending(setting: Setting): { sendHighWaterMark: number } {
  return { sendHighWaterMark: queueMessages(setting) };
}

function receiving(setting: Setting): { receiveHighWaterMark: number } {
  return { receiveHighWaterMark: queueMessages(setting) };
}
