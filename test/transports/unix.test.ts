import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, lstat, mkdir, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { PREAMBLE } from "../../runtime/wire/preamble.js";
import type { Link, LinkLimits, Listener, Place } from "../../transports/transport.js";
import { type UnixOptions, unixTransport } from "../../transports/unix/index.js";
import { put, recorder, send, until } from "../conformance/transport/recorder.js";
import { LIMITS } from "../conformance/transport/suite.js";
import { newFolder } from "./folder.js";

const listeners: Listener[] = [];
const sockets: Socket[] = [];
const isRoot = process.geteuid?.() === 0;

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const listener of listeners.splice(0)) await listener.close();
});

async function newPlace(): Promise<Place & { kind: "path" }> {
  return { kind: "path", path: join(await newFolder(), "s") };
}

/** Listens, and connects a bare socket to it. */
async function bareClient(options: UnixOptions = {}, limits: LinkLimits = LIMITS) {
  const place = await newPlace();
  let accepted: Link | undefined;
  listeners.push(
    await unixTransport(options).listen(place, limits, (link) => {
      accepted = link;
    }),
  );
  const socket = connect({ path: place.path, allowHalfOpen: true });
  sockets.push(socket);
  const received: Buffer[] = [];
  socket.on("data", (chunk) => received.push(chunk));
  socket.on("error", () => {});
  await until("a link is accepted", () => accepted !== undefined);
  return { place, socket, link: accepted!, received: () => Buffer.concat(received) };
}

describe("the bytes of a link", () => {
  it("are the preamble, then each record behind its length", async () => {
    const { socket, link, received } = await bareClient();
    const got = recorder();
    link.start(got);
    send(link, Uint8Array.of(7, 8, 9));
    await until("12 bytes", () => received().length === 12);
    expect(received()).toEqual(Buffer.from([...PREAMBLE, 3, 7, 8, 9]));
    for (const byte of [...PREAMBLE, 0x82, 0x80, 0x00, 5, 6, 0, 1]) {
      socket.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until("two records", () => got.records.length === 2);
    socket.end();
    await until("the end", () => got.end !== undefined);
    expect(got.records).toEqual([Uint8Array.of(5, 6), new Uint8Array(0)]);
    expect(got.end).toEqual({ kind: "peer" });
  });

  it("are plain arrays for the receiver", async () => {
    const { socket, link } = await bareClient();
    const classes: unknown[] = [];
    link.start({ ...recorder(), onRecord: (bytes) => classes.push(bytes.constructor) });
    socket.write(Uint8Array.of(...PREAMBLE, 1, 1));
    await until("a record", () => classes.length > 0);
    expect(classes[0]).toBe(Uint8Array);
  });

  it("end the link with a reason, and tell the peer, when they begin with something else", async () => {
    const closingRecord = (message: string): Uint8Array => new TextEncoder().encode(`! ${message}`);
    const { socket, link, received } = await bareClient({ closingRecord });
    const got = recorder();
    link.start(got);
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await until("the end", () => got.end !== undefined);
    expect(got.end).toMatchObject({
      kind: "protocol",
      message: expect.stringMatching(/^the peer's first bytes are 47 45 54.*HTTP\/1$/),
    });
    await until("the peer sees the end", () => socket.readableEnded);
    expect(received().subarray(0, 8)).toEqual(Buffer.from(PREAMBLE));
    expect(received().subarray(9).toString()).toBe(
      `! ${got.end?.kind === "protocol" ? got.end.message : ""}`,
    );
    expect(received()[8]).toBe(received().length - 9);
    expect(got.events).toEqual(["close"]);
  });

  it("end the link when the preamble is cut up and wrong in its last byte", async () => {
    const { socket, link } = await bareClient();
    const got = recorder();
    link.start(got);
    socket.write(PREAMBLE.subarray(0, 5));
    await new Promise((resolve) => setTimeout(resolve, 20));
    socket.write(Uint8Array.of(...PREAMBLE.subarray(5, 7), 3, 1, 1));
    await until("the end", () => got.end !== undefined);
    expect(got.end).toMatchObject({
      message: "the peer speaks major version 3 of the protocol, this side speaks 1",
    });
    expect(got.records).toEqual([]);
  });

  it("may come slowly, but each record and the preamble only so slowly", async () => {
    const limits = { ...LIMITS, frameTimeoutMs: 150 };
    const silent = await bareClient({}, limits);
    const dribbling = await bareClient({}, limits);
    const resting = await bareClient({}, limits);
    const all = [silent, dribbling, resting].map(({ link }) => {
      const got = recorder();
      link.start(got);
      return got;
    });
    dribbling.socket.write(Uint8Array.of(...PREAMBLE, 100));
    const timer = setInterval(() => dribbling.socket.write(Uint8Array.of(1)), 10);
    resting.socket.write(Uint8Array.of(...PREAMBLE, 1));
    await new Promise((resolve) => setTimeout(resolve, 30));
    resting.socket.write(Uint8Array.of(1));
    await until("both ends", () => all[0]?.end !== undefined && all[1]?.end !== undefined);
    clearInterval(timer);
    expect(all[0]?.end).toEqual({
      kind: "protocol",
      message: "the preamble was not whole within the limit of 150 ms (frameTimeoutMs)",
    });
    expect(all[1]?.end).toEqual({
      kind: "protocol",
      message: "a record was not whole within the limit of 150 ms (frameTimeoutMs)",
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(all[2]?.end).toBeUndefined();
    expect(all[2]?.records.length).toBe(1);
  });

  it("that have come are not timed out because this process stood still", async () => {
    const { socket, link } = await bareClient({}, { ...LIMITS, frameTimeoutMs: 60 });
    const got = recorder();
    link.start(got);
    socket.write(Uint8Array.of(...PREAMBLE, 2, 1));
    await until("the preamble is read", () => socket.bytesWritten === 10);
    await new Promise((resolve) => setTimeout(resolve, 20));
    socket.write(Uint8Array.of(2));
    const standsStillUntil = performance.now() + 120;
    while (performance.now() < standsStillUntil);
    await until("the record", () => got.records.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(got.end).toBeUndefined();
  });

  it("are all delivered when the peer is gone, even where writing to it fails first", async () => {
    const { socket, link } = await bareClient();
    const record = Uint8Array.of(0xe8, 0x07, ...new Uint8Array(1_000));
    const records = new Array<Uint8Array>(101).fill(record);
    await new Promise<void>((resolve) => {
      socket.write(Buffer.concat([PREAMBLE, ...records]), () => resolve());
    });
    socket.destroy();
    await once(socket, "close");
    const got = recorder();
    link.start(got);
    // The preamble and these are written to nobody; what the kernel holds is read all the same.
    for (let i = 0; i < 5; i++) {
      put(link, new Uint8Array(100));
      link.flush();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until("the end", () => got.end !== undefined);
    expect(got.records.length).toBe(101);
    expect(got.end).toEqual({ kind: "peer" });
  });
});

describe("a place", () => {
  it("is refused when its path is too long, with both numbers", async () => {
    const folder = await newFolder();
    const path = join(folder, "x".repeat(108 - folder.length));
    const limit = process.platform === "linux" ? 107 : 103;
    const transport = unixTransport();
    await expect(transport.dial({ kind: "path", path }, LIMITS, undefined)).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining(`${path} has 109 bytes, the limit is ${limit}`),
    });
    await expect(transport.listen({ kind: "path", path }, LIMITS, () => {})).rejects.toMatchObject({
      kind: "invalid",
    });
    await expect(transport.dial({ kind: "path", path: "relative" }, LIMITS, undefined)).rejects.toMatchObject(
      {
        kind: "invalid",
      },
    );
    expect(await readdir(folder)).toEqual([]);
  });

  it("takes the longest path that leaves room for its temporary name", async () => {
    const folder = await newFolder();
    const longest = (process.platform === "linux" ? 107 : 103) - 5;
    const path = join(folder, "x".repeat(longest - folder.length - 1));
    listeners.push(await unixTransport().listen({ kind: "path", path }, LIMITS, () => {}));
    expect(await readdir(folder)).toEqual(["x".repeat(longest - folder.length - 1)]);
    (await unixTransport().dial({ kind: "path", path }, LIMITS, undefined)).close();
    await expect(
      unixTransport().listen({ kind: "path", path: `${path}x` }, LIMITS, () => {}),
    ).rejects.toMatchObject({
      kind: "invalid",
    });
  });

  it.each([
    ["a regular file", (path: string) => writeFile(path, "precious")],
    ["a pipe", async (path: string) => void execFileSync("mkfifo", [path])],
    ["a folder", (path: string) => mkdir(path)],
    ["a symbolic link to nothing", (path: string) => symlink("/nonexistent/target", path)],
  ])("where %s stands is neither listened on nor dialled, and stays as it is", async (_what, make) => {
    const directory = await newFolder();
    const path = join(directory, "unix");
    await make(path);
    const before = await lstat(path);
    const place: Place = { kind: "name", name: "market", directory };
    await expect(unixTransport().listen(place, LIMITS, () => {})).rejects.toMatchObject({
      kind: "denied",
      message: expect.stringContaining(path),
    });
    await expect(unixTransport().dial(place, LIMITS, undefined)).rejects.toMatchObject({
      kind: "denied",
      message: expect.stringContaining(path),
    });
    expect((await lstat(path)).ino).toBe(before.ino);
    expect(await readdir(directory)).toEqual(["unix"]);
  });

  it("keeps the successor's socket when a predecessor closes that has lost its own", async () => {
    const place = await newPlace();
    const predecessor = await unixTransport().listen(place, LIMITS, () => {});
    await rm(place.path);
    let accepted = 0;
    listeners.push(await unixTransport().listen(place, LIMITS, () => accepted++));
    await predecessor.close();
    (await unixTransport().dial(place, LIMITS, undefined)).close();
    await until("the successor accepts", () => accepted === 1);
  });

  it("of a name is refused when others may enter its directory", async () => {
    const directory = await newFolder();
    const place: Place = { kind: "name", name: "market", directory };
    await chmod(directory, 0o755);
    await expect(unixTransport().listen(place, LIMITS, () => {})).rejects.toMatchObject({ kind: "denied" });
    expect(await readdir(directory)).toEqual([]);
    await chmod(directory, 0o700);
    listeners.push(await unixTransport().listen(place, LIMITS, () => {}));
    await chmod(directory, 0o770);
    await expect(unixTransport().dial(place, LIMITS, undefined)).rejects.toMatchObject({
      kind: "denied",
      message: expect.stringContaining("0770"),
    });
  });

  it("says who vouches for the peer: the folder, the socket's owner, or nobody", async () => {
    const place = await newPlace();
    const folder = join(place.path, "..");
    listeners.push(await unixTransport().listen(place, LIMITS, () => {}));
    const vouchedBy = async (): Promise<unknown> => {
      const link = await unixTransport().dial(place, LIMITS, undefined);
      link.close();
      return link.peer;
    };
    const own = { pid: undefined, uid: process.geteuid?.(), gid: undefined, verifiedBy: "directory" };
    expect(await vouchedBy()).toEqual(own);
    await chmod(folder, 0o777);
    expect(await vouchedBy()).toEqual(own);
    await chmod(place.path, 0o777);
    expect(await vouchedBy()).toEqual({
      pid: undefined,
      uid: undefined,
      gid: undefined,
      verifiedBy: "nobody",
    });
  });

  it("asks native code for the peer, where there is any", async () => {
    const credentials = { pid: 7, uid: 8, gid: 9, verifiedBy: "kernel" } as const;
    const { link } = await bareClient({ credentialsOf: () => credentials });
    expect(link.peer).toEqual(credentials);
    const unknown = await bareClient({ credentialsOf: () => undefined });
    expect(unknown.link.peer.verifiedBy).toBe("directory");
  });

  it.runIf(isRoot)("where another user's socket stands is not taken over", async () => {
    const place = await newPlace();
    const first = await unixTransport().listen(place, LIMITS, () => {});
    await chown(place.path, 65_534, 65_534);
    await expect(unixTransport().listen(place, LIMITS, () => {})).rejects.toMatchObject({
      kind: "denied",
      message: expect.stringContaining("belongs to user 65534"),
    });
    await first.close();
  });
});

describe("links that were dialled", () => {
  it("keep what comes before they are started", async () => {
    const place = await newPlace();
    const server = createServer((socket) => socket.end(Uint8Array.of(...PREAMBLE, 1, 9)));
    await new Promise<void>((resolve) => server.listen(place.path, resolve));
    try {
      const link = await unixTransport().dial(place, LIMITS, undefined);
      await new Promise((resolve) => setTimeout(resolve, 50));
      const got = recorder();
      link.start(got);
      await until("the end", () => got.end !== undefined);
      expect(got.records).toEqual([Uint8Array.of(9)]);
      expect(got.end).toEqual({ kind: "peer" });
    } finally {
      server.close();
    }
  });
});
