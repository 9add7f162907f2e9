import { createHmac, randomBytes } from "node:crypto";
import { closeSync, constants, openSync, readdirSync } from "node:fs";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  chooseRoot,
  claimName,
  endpointDirectory,
  isPrivateDirectory,
  watchDomain,
} from "../../transports/directory/index.js";
import { entryPath } from "../../transports/directory/entry.js";
import { takeWindowsLock } from "../../transports/directory/lock-windows.js";
import { pipeTransport } from "../../transports/pipe/index.js";
import { pipeFilePath } from "../../transports/pipe/windows-place.js";
import type { Link, LinkLimits, Listener, Place } from "../../transports/transport.js";
import { recorder, send, until } from "../conformance/transport/recorder.js";

// What is Windows' alone. Run where Windows is, or what takes its place.

const LIMITS: LinkLimits = { maxRecordBytes: 100_000, frameTimeoutMs: 300, sendBufferBytes: 100_000 };

/** libuv's flag for a file that nobody else may open. */
const UV_FS_O_EXLOCK = 0x1000_0000;

const ON_WINDOWS = describe.runIf(process.platform === "win32");

let folder = "";
const listeners: Listener[] = [];
const servers: Server[] = [];
const sockets: Socket[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "protoipc-test-"));
});

afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
  await rm(folder, { recursive: true });
});

function place(): Place {
  return { kind: "name", name: "market", directory: folder };
}

async function listen(at: Place, onLink: (link: Link) => void): Promise<Listener> {
  const listener = await pipeTransport().listen(at, LIMITS, onLink);
  listeners.push(listener);
  return listener;
}

async function published(): Promise<{ path: string; token: string }> {
  return JSON.parse(await readFile(pipeFilePath(folder), "utf8")) as { path: string; token: string };
}

async function raw(path: string): Promise<Socket> {
  const socket = connect(path);
  socket.on("error", () => {});
  sockets.push(socket);
  await once(socket, "connect");
  return socket;
}

/** Whether the other side ends within the time. */
async function ends(socket: Socket, withinMs: number): Promise<boolean> {
  socket.resume();
  let isOver = false;
  socket.on("close", () => {
    isOver = true;
  });
  const giveUpAt = performance.now() + withinMs;
  while (!isOver && performance.now() < giveUpAt) await new Promise((resolve) => setTimeout(resolve, 5));
  return isOver;
}

ON_WINDOWS("a pipe by name", () => {
  it("has a name that nobody guesses, and a token, in a file that goes with its listener", async () => {
    const first = await listen(place(), () => {});
    const one = await published();
    expect(one.path).toMatch(/^\\\\\.\\pipe\\protoipc-v1-[0-9a-f]{32}$/);
    expect(one.token).toMatch(/^[0-9a-f]{64}$/);
    await first.close();
    expect(await readdir(folder)).toEqual([]);
    await listen(place(), () => {});
    const two = await published();
    expect(two.path).not.toBe(one.path);
    expect(two.token).not.toBe(one.token);
  });

  it("is no link for who does not know the token, or says nothing, or too little", async () => {
    let links = 0;
    await listen(place(), () => links++);
    const { path } = await published();

    const wrong = await raw(path);
    wrong.write(randomBytes(32));
    await once(wrong, "readable");
    wrong.write(randomBytes(32));
    expect(await ends(wrong, 5_000)).toBe(true);

    const silent = await raw(path);
    expect(await ends(silent, 5_000)).toBe(true);
    const short = await raw(path);
    short.write(randomBytes(31));
    expect(await ends(short, 5_000)).toBe(true);
    expect(links).toBe(0);

    const link = await pipeTransport().dial(place(), LIMITS, undefined);
    await until("a link", () => links === 1);
    link.close();
  });

  it("cannot be opened with what a dialler has shown before, nor with the listener's own proof", async () => {
    let links = 0;
    await listen(place(), () => links++);
    const { path, token } = await published();
    const key = Buffer.from(token, "hex");
    const proof = (label: string, ...nonces: Uint8Array[]): Buffer => {
      const mac = createHmac("sha256", key).update(label);
      for (const nonce of nonces) mac.update(nonce);
      return mac.digest();
    };
    const nonce = randomBytes(32);
    const shake = async (answer: (theirs: Buffer, shown: Buffer) => Buffer): Promise<Socket> => {
      const socket = await raw(path);
      socket.write(nonce);
      await once(socket, "readable");
      const got: Buffer = socket.read(64);
      socket.write(answer(got.subarray(0, 32), got.subarray(32)));
      return socket;
    };
    let before: Buffer | undefined;
    const good = await shake((theirs) => {
      before = proof("protoipc pipe v1 dialler", nonce, theirs);
      return before;
    });
    await until("a link", () => links === 1);
    good.destroy();
    expect(await ends(await shake(() => before!), 5_000)).toBe(true);
    expect(await ends(await shake((_theirs, shown) => shown), 5_000)).toBe(true);
    expect(links).toBe(1);
  });

  it("is not taken from who does not know the token", async () => {
    const listener = await listen(place(), () => {});
    const { token } = await published();
    await listener.close();
    // Somebody who has seen the pipe's name, and listens under it once its owner is gone.
    const path = `\\\\.\\pipe\\protoipc-v1-${randomBytes(16).toString("hex")}`;
    const heard: Buffer[] = [];
    const impostor = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (bytes: Buffer) => {
        heard.push(bytes);
        socket.write(randomBytes(64));
      });
    });
    servers.push(impostor);
    impostor.listen(path);
    await once(impostor, "listening");
    await writeFile(pipeFilePath(folder), JSON.stringify({ path, token }));
    await expect(pipeTransport().dial(place(), LIMITS, undefined)).rejects.toMatchObject({
      kind: "denied",
      message: `who listens on ${path} does not know the token of its endpoint`,
    });
    // All that it learns is a nonce.
    expect(Buffer.concat(heard).length).toBe(32);
  });

  it("is not waited for when its listener is silent, or the dialler has no more time", async () => {
    const path = `\\\\.\\pipe\\protoipc-v1-${randomBytes(16).toString("hex")}`;
    const silent = createServer((socket) => {
      socket.on("error", () => {});
      socket.resume();
    });
    servers.push(silent);
    silent.listen(path);
    await once(silent, "listening");
    await writeFile(pipeFilePath(folder), JSON.stringify({ path, token: "00".repeat(32) }));
    await expect(pipeTransport().dial(place(), LIMITS, undefined)).rejects.toMatchObject({
      kind: "unavailable",
      message: `the handshake over ${path} failed: the other side was silent for ${LIMITS.frameTimeoutMs} ms`,
    });
    const reason = new Error("no longer");
    const giveUp = new AbortController();
    setTimeout(() => giveUp.abort(reason), 50);
    const patient = { ...LIMITS, frameTimeoutMs: 60_000 };
    await expect(pipeTransport().dial(place(), patient, giveUp.signal)).rejects.toMatchObject({
      kind: "unavailable",
      cause: reason,
    });
  });

  it("is refused where the file names something else than a pipe of this machine", async () => {
    const token = "00".repeat(32);
    const paths = [
      `\\\\elsewhere\\pipe\\protoipc-v1-${"0".repeat(32)}`,
      `\\\\.\\pipe\\..\\protoipc-v1-${"0".repeat(32)}`,
      "\\\\.\\pipe\\other",
      "C:\\windows\\win.ini",
    ];
    const texts = [
      ...paths.map((path) => JSON.stringify({ path, token })),
      JSON.stringify({ path: `\\\\.\\pipe\\protoipc-v1-${"0".repeat(32)}`, token: "00" }),
      "no JSON",
      "x".repeat(2_000),
    ];
    for (const text of texts) {
      await writeFile(pipeFilePath(folder), text);
      await expect(pipeTransport().dial(place(), LIMITS, undefined)).rejects.toMatchObject({
        kind: "denied",
      });
    }
    await rm(pipeFilePath(folder));
  });

  it("takes the place of one that is left from an owner that died", async () => {
    const path = `\\\\.\\pipe\\protoipc-v1-${"0".repeat(32)}`;
    await writeFile(pipeFilePath(folder), JSON.stringify({ path, token: "00".repeat(32) }));
    await expect(pipeTransport().dial(place(), LIMITS, undefined)).rejects.toMatchObject({
      kind: "notFound",
    });
    let links = 0;
    await listen(place(), () => links++);
    const link = await pipeTransport().dial(place(), LIMITS, undefined);
    await until("a link", () => links === 1);
    link.close();
  });
});

ON_WINDOWS("a pipe by path", () => {
  it("is anybody's: nobody vouches for the other end", async () => {
    const at: Place = { kind: "path", path: `\\\\.\\pipe\\${basename(folder)}` };
    const got = recorder();
    let accepted: Link | undefined;
    await listen(at, (link) => {
      accepted = link;
      link.start(got);
    });
    await expect(pipeTransport().listen(at, LIMITS, () => {})).rejects.toMatchObject({ kind: "inUse" });
    const link = await pipeTransport().dial(at, LIMITS, undefined);
    link.start(recorder());
    send(link, Uint8Array.of(1));
    await until("a record", () => got.records.length === 1);
    expect(link.peer.verifiedBy).toBe("nobody");
    expect(accepted?.peer.verifiedBy).toBe("nobody");
    link.close();
  });

  it("is one of this machine, and no file", async () => {
    for (const path of [
      "C:\\market",
      "\\\\elsewhere\\pipe\\market",
      "\\\\.\\pipe\\",
      "/tmp/market",
      "\\\\.\\pipe\\a\\b",
    ]) {
      await expect(pipeTransport().dial({ kind: "path", path }, LIMITS, undefined)).rejects.toMatchObject({
        kind: "invalid",
      });
    }
  });
});

ON_WINDOWS("names", () => {
  it("stand in the profile, and nowhere else", async () => {
    const root = await chooseRoot({ LOCALAPPDATA: "C:\\Users\\me\\AppData\\Local" });
    expect(root).toEqual({ path: "C:\\Users\\me\\AppData\\Local\\protoipc", rule: "LOCALAPPDATA" });
    await expect(chooseRoot({})).rejects.toMatchObject({ kind: "unavailable" });
    expect(await isPrivateDirectory(folder)).toBe(true);
    expect(await isPrivateDirectory(join(folder, "none"))).toBe(false);
    for (const path of ["C:\\Windows", "C:\\Users\\Public", "Z:\\tmp"]) {
      await expect(isPrivateDirectory(path)).rejects.toMatchObject({ kind: "denied" });
    }
    await writeFile(join(folder, "file"), "");
    await expect(isPrivateDirectory(join(folder, "file"))).rejects.toMatchObject({ kind: "denied" });
    await rm(join(folder, "file"));
  });

  it("are held by a file that nobody else can open, and by nothing that is left", async () => {
    const secret = new Uint8Array(32);
    const unlock = await takeWindowsLock(folder, secret, "market");
    expect(unlock).toBeDefined();
    expect(await takeWindowsLock(folder, secret, "market")).toBeUndefined();
    await expect(readFile(join(folder, "lock"))).rejects.toMatchObject({ code: "EBUSY" });
    await writeFile(join(folder, "other"), "");
    await unlock?.();
    expect(await readdir(folder)).toEqual(["other"]);
  });

  it("of who was killed while it started are removed by who watches", async () => {
    const root = { path: join(folder, "root"), rule: "PROTOIPC_DIR" } as const;
    const left = join(root.path, "default", "market");
    await mkdir(left, { recursive: true });
    await writeFile(join(left, "secret"), randomBytes(32));
    const watch = watchDomain(
      { root, domain: "default" },
      { onFound: () => {}, onChanged: () => {}, onGone: () => {}, onRefused: () => {} },
    );
    await until("it is gone", () => readdirSync(join(root.path, "default")).length === 0);
    watch.stop();
  });

  it("of who lives are found although their entry could not be read at first", async () => {
    const root = { path: join(folder, "root"), rule: "PROTOIPC_DIR" } as const;
    const names = { root, domain: "default", name: "market", incarnation: "00", implementation: "" };
    const claim = await claimName(names);
    await claim.announce({ transports: ["pipe"], services: [], topics: [] });
    const held = openSync(entryPath(claim.directory), constants.O_RDWR | UV_FS_O_EXLOCK);
    const found: string[] = [];
    const refused: string[] = [];
    const watch = watchDomain(
      { root, domain: "default" },
      {
        onFound: ({ name }) => found.push(name),
        onChanged: () => {},
        onGone: () => {},
        onRefused: (name) => refused.push(name),
      },
    );
    await watch.ready;
    expect([found, refused]).toEqual([[], ["market"]]);
    closeSync(held);
    await until("it is found", () => found.length === 1);
    watch.stop();
    await claim.release();
  });

  it("are given back with all that was made for them", async () => {
    const root = { path: join(folder, "root"), rule: "PROTOIPC_DIR" } as const;
    const claim = await claimName({
      root,
      domain: "default",
      name: "market",
      incarnation: "00",
      implementation: "",
    });
    expect((await readdir(endpointDirectory(root, "default", "market"))).sort()).toEqual([
      "entry",
      "lock",
      "secret",
    ]);
    await claim.release();
    expect(await readdir(join(root.path, "default"))).toEqual([]);
  });
});
