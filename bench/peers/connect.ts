/**
 * @connectrpc/connect-node over a Unix socket with the Connect protocol and binary messages
 * (connectrpc.com/docs/node/using-clients). Compression is off (`acceptCompression: []`), which by default begins at
 * 1 KiB. Calls go over HTTP/1.1 with a keep-alive agent and one connection per call in flight, or over HTTP/2 without
 * TLS: whichever was faster for the case, as `httpVersionFor` says.
 */
import { EventEmitter, once } from "node:events";
import * as http from "node:http";
import * as http2 from "node:http2";
import { connect as connectSocket } from "node:net";
import { join } from "node:path";
import { type Client, type ConnectRouter, createClient, type Transport } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport } from "@connectrpc/connect-node";
import { Bench, type Payload } from "../../gen/bench/v1/bench_pb.js";
import { makePayload } from "../payload.js";
import { waitForSubscribers } from "./counter.js";
import type { Peer, Setting } from "./peer.js";

export const peer: Peer = {
  name: "connect",
  packages: ["@connectrpc/connect", "@connectrpc/connect-node", "@bufbuild/protobuf"],

  unary: {
    serve: (setting) =>
      listen(setting, (router) => {
        router.service(Bench, { echo: (request) => request });
      }),
    async connect(setting) {
      const client = dial(setting);
      return { echo: (message) => client.echo(message) };
    },
  },

  stream: {
    serve: (setting) =>
      listen(setting, (router) => {
        router.service(Bench, {
          async *stream({ count, sizeBytes }) {
            for (let id = 0; id < count; id++) yield makePayload(id, sizeBytes);
          },
        });
      }),
    async connect(setting) {
      const client = dial(setting);
      return {
        async stream(count, onMessage) {
          const { sizeBytes } = setting.scenario;
          for await (const message of client.stream({ count, sizeBytes })) onMessage(message);
        },
      };
    },
  },

  publish: {
    async serve(setting) {
      const { sizeBytes, subscribers } = setting.scenario;
      const counts: number[] = [];
      const batches = new EventEmitter().setMaxListeners(0);
      let subscribed = 0;
      await listen(setting, (router) => {
        router.service(Bench, {
          async *feed() {
            subscribed++;
            for (let batch = 0; ; batch++) {
              while (counts[batch] === undefined) await once(batches, "batch");
              const count = counts[batch] ?? 0;
              for (let id = 0; id < count; id++) yield makePayload(id, sizeBytes);
            }
          },
        });
      });
      return {
        async publish(count) {
          await waitForSubscribers(subscribers, () => subscribed);
          counts.push(count);
          batches.emit("batch");
        },
      };
    },
    async connect(setting) {
      return {
        async subscribe(onMessage) {
          for (let i = 0; i < (setting.scenario.subscribers ?? 1); i++) {
            void readFeed(dial(setting), (message) => onMessage(i, message));
          }
        },
      };
    },
  },
};

async function readFeed(client: Client<typeof Bench>, onMessage: (message: Payload) => void): Promise<void> {
  for await (const message of client.feed({})) onMessage(message);
}

/** Messages from here on were faster over HTTP/1.1 in streams too. */
const LARGE_BYTES = 65_536;

function httpVersionFor({ scenario }: Setting): "1.1" | "2" {
  const unary = scenario.case === "unary-rtt" || scenario.case === "unary-rate";
  return unary || scenario.sizeBytes >= LARGE_BYTES ? "1.1" : "2";
}

function pathOf(setting: Setting): string {
  return join(setting.directory, "connect");
}

async function listen(setting: Setting, routes: (router: ConnectRouter) => void): Promise<void> {
  const handler = connectNodeAdapter({ routes, acceptCompression: [] });
  const server = httpVersionFor(setting) === "2" ? http2.createServer(handler) : http.createServer(handler);
  server.listen(pathOf(setting));
  await once(server, "listening");
}

/** A client with connections of its own. */
function dial(setting: Setting): Client<typeof Bench> {
  return createClient(Bench, transport(setting));
}

function transport(setting: Setting): Transport {
  const common = { baseUrl: "http://localhost", acceptCompression: [] };
  if (httpVersionFor(setting) === "2") {
    return createConnectTransport({
      ...common,
      httpVersion: "2",
      nodeOptions: { createConnection: () => connectSocket(pathOf(setting)) },
    });
  }
  return createConnectTransport({
    ...common,
    httpVersion: "1.1",
    nodeOptions: { socketPath: pathOf(setting), agent: new http.Agent({ keepAlive: true }) },
  });
}
