import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, afterEach, beforeAll } from "vitest";
import { Echo, type EchoClient, type EchoHandlers } from "../../gen/test/v1/echo_protoipc.js";
import { type Endpoint, type OpenOptions, open, type Peer, type ServiceClient } from "../../index.js";
import { echoHandlers } from "./echo-handlers.js";

/** The transports that every test of sessions runs on. */
export type TransportName = "memory" | "unix" | "shm" | "pipe";

export interface PairOptions {
  readonly handlers?: Partial<EchoHandlers> | undefined;
  readonly server?: OpenOptions | undefined;
  readonly client?: OpenOptions | undefined;
}

/** An endpoint that serves Echo, and one that is connected to it. */
export interface Pair {
  readonly server: Endpoint;
  readonly address: string;
  readonly client: Endpoint;
  readonly echo: ServiceClient<EchoClient>;
  /** The server, as the client sees it. */
  readonly serverPeer: Peer;
  /** The client, as the server sees it. */
  readonly clientPeer: Peer;
}

/** Where tests open their endpoints; each is closed after its test. */
export interface World {
  readonly transport: TransportName;
  /** What comes in a block can be borrowed, so that nothing is copied. */
  readonly canBorrow: boolean;
  /** A thread can be blocked on a link. */
  readonly canBlock: boolean;
  /** An address that nobody listens on, another one each time. */
  newAddress(): string;
  /** A path of the transport's own, another one each time. */
  newPath(): string;
  open(options?: OpenOptions): Promise<Endpoint>;
  /** An endpoint that listens on a new address. */
  listen(options?: OpenOptions): Promise<{ readonly endpoint: Endpoint; readonly address: string }>;
  pair(options?: PairOptions): Promise<Pair>;
}

/** Made once per test file, outside of its tests. */
export function makeWorld(
  transport: TransportName,
  canBorrow: boolean = transport === "memory" || transport === "shm",
): World {
  const opened: Endpoint[] = [];
  let names = 0;
  let folder = "";

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "protoipc-test-"));
    process.env["PROTOIPC_DIR"] = folder;
  });
  afterEach(async () => {
    // What a test left running is not waited for: each test that is about draining does so itself.
    await Promise.all(opened.splice(0).map((endpoint) => endpoint.close()));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  const world: World = {
    transport,
    canBorrow,
    canBlock: transport === "shm",
    newAddress: () => `${transport}:test-${names++}`,
    newPath: () =>
      process.platform === "win32"
        ? `\\\\.\\pipe\\${basename(folder)}-${names++}`
        : join(folder, `path-${names++}`),
    async open(options = {}) {
      const endpoint = await open({ drainTimeoutMs: 100, ...options });
      opened.push(endpoint);
      return endpoint;
    },
    async listen(options = {}) {
      const address = world.newAddress();
      return { endpoint: await world.open({ name: address, ...options }), address };
    },
    async pair({ handlers = {}, server: serverOptions, client: clientOptions } = {}) {
      const { endpoint: server, address } = await world.listen(serverOptions);
      server.serve(Echo, { ...echoHandlers, ...handlers });
      const client = await world.open(clientOptions);
      const serverPeer = await client.connect(address);
      const clientPeer = await new Promise<Peer>((resolve) => {
        const [known] = server.connectedPeers;
        if (known !== undefined) resolve(known);
        else server.on("peerConnected", resolve);
      });
      return { server, address, client, echo: client.client(Echo, address), serverPeer, clientPeer };
    },
  };
  return world;
}
