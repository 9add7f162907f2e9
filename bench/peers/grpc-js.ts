/**
 * @grpc/grpc-js over a Unix socket: one channel, reused, as grpc.io/docs/guides/performance advises, without TLS and
 * compression. From its README's list of options: `grpc.enable_channelz` and `grpc.enable_retries` off, which is less
 * work per call; `grpc-node.flow_control_window` raised, so that large messages and streams do not wait for windows;
 * `grpc.use_local_subchannel_pool` where each subscriber is to have a connection of its own. The codec is protobuf-es.
 */
import { once } from "node:events";
import { join } from "node:path";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import {
  type Payload,
  PayloadSchema,
  type StreamRequest,
  StreamRequestSchema,
} from "../../gen/bench/v1/bench_pb.js";
import { makePayload } from "../payload.js";
import { waitForSubscribers } from "./counter.js";
import type { Peer, Setting } from "./peer.js";

const OPTIONS: grpc.ChannelOptions = {
  "grpc.enable_channelz": 0,
  "grpc.enable_retries": 0,
  "grpc-node.flow_control_window": 4_194_304,
  "grpc.max_send_message_length": -1,
  "grpc.max_receive_message_length": -1,
};

const ECHO: grpc.MethodDefinition<Payload, Payload> = {
  path: "/bench.v1.Bench/Echo",
  requestStream: false,
  responseStream: false,
  requestSerialize: encode,
  requestDeserialize: decode,
  responseSerialize: encode,
  responseDeserialize: decode,
};

const STREAM: grpc.MethodDefinition<StreamRequest, Payload> = {
  path: "/bench.v1.Bench/Stream",
  requestStream: false,
  responseStream: true,
  requestSerialize: (request) => asBuffer(toBinary(StreamRequestSchema, request)),
  requestDeserialize: (bytes) => fromBinary(StreamRequestSchema, bytes),
  responseSerialize: encode,
  responseDeserialize: decode,
};

/** The publisher encodes each message once, for all subscribers. */
const FEED: grpc.MethodDefinition<Buffer, Buffer> = {
  path: "/bench.v1.Bench/Feed",
  requestStream: false,
  responseStream: true,
  requestSerialize: (bytes) => bytes,
  requestDeserialize: (bytes) => bytes,
  responseSerialize: (bytes) => bytes,
  responseDeserialize: (bytes) => bytes,
};

export const peer: Peer = {
  name: "grpc-js",
  packages: ["@grpc/grpc-js", "@bufbuild/protobuf"],

  unary: {
    serve: (setting) =>
      listen(setting, (server) => {
        server.addService(
          { echo: ECHO },
          {
            echo: (call: grpc.ServerUnaryCall<Payload, Payload>, reply: grpc.sendUnaryData<Payload>) =>
              reply(null, call.request),
          },
        );
      }),
    async connect(setting) {
      const client = dial(setting);
      return {
        echo: (message) =>
          new Promise((resolve, reject) => {
            client.makeUnaryRequest(ECHO.path, encode, decode, message, (error, reply) => {
              if (reply === undefined) reject(error);
              else resolve(reply);
            });
          }),
      };
    },
  },

  stream: {
    serve: (setting) =>
      listen(setting, (server) => {
        server.addService(
          { stream: STREAM },
          {
            async stream(call: grpc.ServerWritableStream<StreamRequest, Payload>) {
              const { count, sizeBytes } = call.request;
              for (let id = 0; id < count; id++) {
                if (!call.write(makePayload(id, sizeBytes))) await once(call, "drain");
              }
              call.end();
            },
          },
        );
      }),
    async connect(setting) {
      const client = dial(setting);
      return {
        stream: (count, onMessage) =>
          new Promise((resolve, reject) => {
            const { sizeBytes } = setting.scenario;
            const call = client.makeServerStreamRequest(STREAM.path, STREAM.requestSerialize, decode, {
              $typeName: "bench.v1.StreamRequest",
              count,
              sizeBytes,
            });
            call.on("data", onMessage).on("end", resolve).on("error", reject);
          }),
      };
    },
  },

  publish: {
    async serve(setting) {
      const { sizeBytes, subscribers } = setting.scenario;
      const subscribed: grpc.ServerWritableStream<Buffer, Buffer>[] = [];
      await listen(setting, (server) => {
        server.addService(
          { feed: FEED },
          {
            feed: (call: grpc.ServerWritableStream<Buffer, Buffer>) => void subscribed.push(call),
          },
        );
      });
      return {
        async publish(count) {
          await waitForSubscribers(subscribers, () => subscribed.length);
          for (let id = 0; id < count; id++) {
            const bytes = encode(makePayload(id, sizeBytes));
            for (const call of subscribed) call.write(bytes);
            for (const call of subscribed) {
              if (call.writableNeedDrain) await once(call, "drain");
            }
          }
        },
      };
    },
    async connect(setting) {
      return {
        async subscribe(onMessage) {
          for (let i = 0; i < (setting.scenario.subscribers ?? 1); i++) {
            const client = dial(setting, { "grpc.use_local_subchannel_pool": 1 });
            client
              .makeServerStreamRequest(FEED.path, FEED.requestSerialize, decode, Buffer.alloc(0))
              .on("data", (message: Payload) => onMessage(i, message));
          }
        },
      };
    },
  },
};

function encode(message: Payload): Buffer {
  return asBuffer(toBinary(PayloadSchema, message));
}

function decode(bytes: Buffer): Payload {
  return fromBinary(PayloadSchema, bytes);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function addressOf(setting: Setting): string {
  return `unix:${join(setting.directory, "grpc")}`;
}

function listen(setting: Setting, addTo: (server: grpc.Server) => void): Promise<void> {
  const server = new grpc.Server(OPTIONS);
  addTo(server);
  return new Promise((resolve, reject) => {
    server.bindAsync(addressOf(setting), grpc.ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

function dial(setting: Setting, options: grpc.ChannelOptions = {}): grpc.Client {
  return new grpc.Client(addressOf(setting), grpc.credentials.createInsecure(), { ...OPTIONS, ...options });
}
