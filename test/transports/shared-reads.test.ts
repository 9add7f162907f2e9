import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { inheritedLink, PARENT_VARIABLE } from "../../transports/inherited/index.js";
import { withSharedReads } from "../../transports/shared-reads.js";
import type { Link, PeerCredentials } from "../../transports/transport.js";
import { unixTransport } from "../../transports/unix/index.js";
import { numbered, put, recorder, send, until } from "../conformance/transport/recorder.js";
import { LIMITS } from "../conformance/transport/suite.js";
import { programPath } from "../harness/program-path.js";
import { newFolder } from "./folder.js";

const undo: (() => unknown)[] = [];

afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** Two ends that were not started yet; `receives` is the one whose reading is looked at. */
interface Pair {
  readonly sends: Link;
  readonly receives: Link;
}

async function unixPair(): Promise<{ dialled: Link; accepted: Link }> {
  const place = { kind: "path", path: join(await newFolder(), "s") } as const;
  const transport = unixTransport();
  let accepted: Link | undefined;
  const listener = await transport.listen(place, LIMITS, (link) => {
    accepted = link;
  });
  undo.push(() => listener.close());
  const dialled = await transport.dial(place, LIMITS, undefined);
  await until("it is accepted", () => accepted !== undefined);
  return { dialled, accepted: accepted! };
}

/** What the process writes back comes to the link that sent it. */
function echo(stdio: "its standard streams" | "a socket"): Pair {
  const [incoming, outgoing, child] = echoStreams(stdio);
  undo.push(async () => {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  const link = inheritedLink({
    incoming,
    outgoing,
    location: "an echo",
    peer: peerOf(child),
    limits: LIMITS,
  });
  return { sends: link, receives: link };
}

function peerOf({ pid }: ChildProcess): PeerCredentials {
  return { pid, uid: undefined, gid: undefined, verifiedBy: "process" };
}

function echoStreams(stdio: "its standard streams" | "a socket"): [Socket, Socket, ChildProcess] {
  if (stdio === "a socket") {
    const child = spawn("cat <&3 >&3", { shell: true, stdio: ["ignore", "ignore", "inherit", "pipe"] });
    const socket = child.stdio[3] as Socket;
    return [socket, socket, child];
  }
  const child = spawn("cat", { stdio: ["pipe", "pipe", "inherit"] });
  return [child.stdout as Socket, child.stdin as Socket, child];
}

const KINDS: readonly [string, () => Promise<Pair>][] = [
  [
    "was dialled",
    async () => {
      const { dialled, accepted } = await unixPair();
      return { sends: accepted, receives: dialled };
    },
  ],
  [
    "was accepted",
    async () => {
      const { dialled, accepted } = await unixPair();
      return { sends: dialled, receives: accepted };
    },
  ],
  ["goes by a socket of a child", async () => echo("a socket")],
  ["goes by a child's standard streams", async () => echo("its standard streams")],
];

describe.skipIf(process.platform === "win32").each(KINDS)("a link that %s", (_, newPair) => {
  it("reads into memory that all links of the thread share", async () => {
    const memories = new Set<ArrayBufferLike>();
    for (let i = 0; i < 2; i++) {
      const { sends, receives } = await newPair();
      const got = recorder();
      const onRecord: typeof got.onRecord = (bytes, start, end) => {
        memories.add(bytes.buffer);
        got.onRecord(bytes, start, end);
      };
      receives.start({ ...got, onRecord });
      if (sends !== receives) sends.start(recorder());
      send(sends, Uint8Array.of(7));
      await until("a record", () => got.records.length === 1);
      sends.close();
    }
    expect(memories.size).toBe(1);
  });

  it("mixes nothing up", async () => {
    const pairs = await Promise.all([newPair(), newPair(), newPair()]);
    const receivers = pairs.map(({ sends, receives }) => {
      const got = recorder();
      receives.start(got);
      if (sends !== receives) sends.start(recorder());
      return got;
    });
    const lengths = [0, 10, 65_535, 3, 200_000, 70_000, 400_000, 1];
    const sent = pairs.map((__, i) => lengths.map((length, n) => numbered(100 * i + n, length)));
    // In pieces that come in turns, so that each link has a part of a record while another one reads.
    for (const n of lengths.keys()) {
      for (const [i, { sends }] of pairs.entries()) {
        await until("there is room", () => put(sends, sent[i]![n]!));
        sends.flush();
      }
    }
    await until("all is there", () => receivers.every(({ records }) => records.length === lengths.length));
    // Comparing arrays of 400,000 bytes by `toEqual` takes a second.
    for (const [i, { records }] of receivers.entries()) {
      expect(records.map((bytes, n) => Buffer.compare(bytes, sent[i]![n]!))).toEqual(lengths.map(() => 0));
    }
    for (const { sends } of pairs) sends.close();
    await until("their ends are told", () => receivers.every(({ end }) => end !== undefined));
    // Who closes a link that goes to itself is the one who closed it.
    const ends = pairs.map(({ sends, receives }) => ({ kind: sends === receives ? "local" : "peer" }));
    expect(receivers.map(({ end }) => end)).toEqual(ends);
  });
});

describe("a link that was accepted", () => {
  it("keeps what comes before it is started", async () => {
    const { dialled, accepted } = await unixPair();
    dialled.start(recorder());
    send(dialled, Uint8Array.of(9));
    dialled.close();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const got = recorder();
    accepted.start(got);
    await until("the end", () => got.end !== undefined);
    expect(got.records).toEqual([Uint8Array.of(9)]);
    expect(got.end).toEqual({ kind: "peer" });
  });
});

describe.skipIf(process.platform === "win32").each(["fd:3", "stdio"])("a child's own end (%s)", (parent) => {
  it("reads into memory that is used again", async () => {
    const stdio: StdioOptions =
      parent === "stdio" ? ["pipe", "pipe", "inherit"] : ["ignore", "inherit", "inherit", "pipe"];
    const env = { ...process.env, [PARENT_VARIABLE]: parent };
    const child = spawn(process.execPath, [programPath("inherited-reader")], { env, stdio });
    const socket = child.stdio[3] as Socket | undefined;
    const [incoming, outgoing] =
      socket === undefined ? [child.stdout as Socket, child.stdin as Socket] : [socket, socket];
    const link = inheritedLink({
      incoming,
      outgoing,
      location: "a child",
      peer: peerOf(child),
      limits: LIMITS,
    });
    const got = recorder();
    link.start(got);
    for (let answers = 1; answers <= 3; answers++) {
      send(link, Uint8Array.of(answers));
      await until("an answer", () => got.records.length === answers);
    }
    link.close();
    if (child.exitCode === null) await once(child, "exit");
    expect(got.records).toEqual([Uint8Array.of(0), Uint8Array.of(1), Uint8Array.of(1)]);
    expect(child.exitCode).toBe(0);
  });
});

/** A socket that a server of Node's has accepted, and who dialled it. */
async function bareSockets(): Promise<{ server: Server; client: Socket; accepted: Socket }> {
  const path = join(await newFolder(), "s");
  let accepted: Socket | undefined;
  const server = createServer((socket) => {
    accepted = socket;
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  undo.push(() => server.close());
  const client = connect(path);
  undo.push(() => client.destroy());
  await until("it is accepted", () => accepted !== undefined);
  return { server, client, accepted: accepted! };
}

describe("a socket", () => {
  it.skipIf(process.platform === "win32")(
    "that is read so takes the place of the one that Node made",
    async () => {
      const { server, client, accepted } = await bareSockets();
      const { socket, reads } = withSharedReads(accepted);
      expect(socket).not.toBe(accepted);
      expect(reads).toBeDefined();
      expect(accepted.destroyed).toBe(true);
      expect(socket.isPaused()).toBe(true);
      const connections = await new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
      expect(connections).toBe(0);
      socket.destroy();
      await once(client, "close");
    },
  );

  it("that has read something stays what it is", async () => {
    const { client, accepted } = await bareSockets();
    client.write("something");
    await until("it has come", () => accepted.bytesRead > 0);
    const { socket, reads } = withSharedReads(accepted);
    expect(socket).toBe(accepted);
    expect(reads).toBeUndefined();
    expect(String(socket.read())).toBe("something");
  });

  it("without a handle stays what it is", () => {
    const socket = connect({ path: "/nothing/there" });
    socket.on("error", () => {});
    socket.destroy();
    expect(withSharedReads(socket).socket).toBe(socket);
  });
});
