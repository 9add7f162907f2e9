import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, existsSync, openSync, readdirSync, writeSync } from "node:fs";
import {
  chmod,
  chown,
  link as hardLink,
  lstat,
  mkdir,
  readdir,
  rename,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { PREAMBLE } from "../../runtime/wire/preamble.js";
import { mkfifoProgram, pipeTransport } from "../../transports/pipe/index.js";
import type { Link, Listener, Place } from "../../transports/transport.js";
import { recorder, send, until } from "../conformance/transport/recorder.js";
import { LIMITS } from "../conformance/transport/suite.js";
import { makeFifos } from "../harness/make-fifos.js";
import { type Child, startProgram } from "./child.js";
import { newFolder } from "./folder.js";

const ID = "0123456789abcdef";
const WRITE = constants.O_WRONLY | constants.O_NONBLOCK;
const READ = constants.O_RDONLY | constants.O_NONBLOCK;
const isRoot = process.geteuid?.() === 0;

const pipe = pipeTransport({ makeFifos });
const listeners: Listener[] = [];
const links: Link[] = [];
const children: Child[] = [];
const fds: number[] = [];

afterEach(async () => {
  for (const fd of fds.splice(0)) closeSync(fd);
  for (const child of children.splice(0)) await child.kill("SIGKILL");
  for (const link of links.splice(0)) link.close();
  for (const listener of listeners.splice(0)) await listener.close();
});

async function newPlace(): Promise<Place & { kind: "path" }> {
  return { kind: "path", path: join(await newFolder(), "door") };
}

/** Listens; what was accepted is kept. */
async function listen(place: Place): Promise<{ accepted: Link[]; listener: Listener }> {
  const accepted: Link[] = [];
  const listener = await pipe.listen(place, LIMITS, (link) => {
    link.start(recorder());
    accepted.push(link);
    links.push(link);
  });
  listeners.push(listener);
  return { accepted, listener };
}

async function dial(place: Place): Promise<Link> {
  const link = await pipe.dial(place, LIMITS, undefined);
  links.push(link);
  return link;
}

async function start(program: string, args: readonly string[]): Promise<Child> {
  const child = await startProgram(program, args);
  children.push(child);
  return child;
}

function open(path: string, flags: number): number {
  const fd = openSync(path, flags);
  fds.push(fd);
  return fd;
}

const mkfifo = (...paths: string[]): void => void execFileSync("mkfifo", ["-m", "600", ...paths]);
const ring = (path: string, text: string): void => void writeSync(open(path, WRITE), text);
const names = async (path: string): Promise<string[]> => (await readdir(dirname(path))).sort();
/** A request is removed right after it was answered. */
const onlyDoor = (path: string): Promise<void> =>
  until("only the door is left", () => readdirSync(dirname(path)).join() === "door");
const openFiles = (): number => readdirSync("/proc/self/fd").length;
const failure = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

/** A request as it ought to be, whose dialler is this process. */
async function request(
  path: string,
  id = ID,
): Promise<{ folder: string; toListener: number; toDialler: number }> {
  const folder = `${path}-${id}`;
  await mkdir(folder, { mode: 0o700 });
  mkfifo(join(folder, "to-listener"), join(folder, "to-dialler"));
  const toDialler = open(join(folder, "to-dialler"), READ);
  const reader = openSync(join(folder, "to-listener"), READ);
  const toListener = open(join(folder, "to-listener"), WRITE);
  closeSync(reader);
  return { folder, toListener, toDialler };
}

describe("a door", () => {
  it("is a FIFO of this user alone, and gone after closing, as is all else", async () => {
    const place = await newPlace();
    const { listener } = await listen(place);
    const found = await lstat(place.path);
    expect(found.isFIFO()).toBe(true);
    expect(found.mode & 0o777).toBe(0o600);
    await dial(place);
    await onlyDoor(place.path);
    await request(place.path);
    await listener.close();
    expect(await names(place.path)).toEqual([]);
  });

  it("that a killed process left is replaced, and nobody is found at it before", async () => {
    const place = await newPlace();
    const child = await start("pipe-listener", [place.path]);
    const link = await dial(place);
    const got = recorder();
    link.start(got);
    send(link, Uint8Array.of(1, 2, 3));
    await until("an echo", () => got.records.length === 1);
    await child.kill("SIGKILL");
    await until("the end", () => got.end !== undefined);
    expect(got.end).toEqual({ kind: "peer" });
    expect((await lstat(place.path)).isFIFO()).toBe(true);
    expect(await failure(dial(place))).toMatchObject({ kind: "notFound" });
    const { accepted } = await listen(place);
    await dial(place);
    await until("a link", () => accepted.length === 1);
    await onlyDoor(place.path);
  });

  it("is not made over what is none, and what is none is not dialled", async () => {
    const place = await newPlace();
    await writeFile(place.path, "mine");
    for (const error of [await failure(listen(place)), await failure(dial(place))])
      expect(error).toMatchObject({ kind: "denied", message: expect.stringContaining("no FIFO") });
    const other = await newPlace();
    await listen(other);
    await symlink(other.path, join(dirname(place.path), "linked"));
    const linked: Place = { kind: "path", path: join(dirname(place.path), "linked") };
    for (const error of [await failure(listen(linked)), await failure(dial(linked))])
      expect(error).toMatchObject({ kind: "denied" });
    const byName: Place = { kind: "name", name: "x", directory: dirname(place.path) };
    await symlink(other.path, join(dirname(place.path), "pipe"));
    expect(await failure(dial(byName))).toMatchObject({ kind: "denied" });
    expect(await names(place.path)).toEqual(["door", "linked", "pipe"]);
  });

  it.runIf(isRoot)("of another user is not replaced", async () => {
    const place = await newPlace();
    mkfifo(place.path);
    await chown(place.path, 12_345, 12_345);
    expect(await failure(listen(place))).toMatchObject({
      kind: "denied",
      message: expect.stringContaining("belongs to user 12345"),
    });
  });

  it("is refused to diallers in a directory that others can enter", async () => {
    const directory = await newFolder();
    const place: Place = { kind: "name", name: "market", directory };
    await listen(place);
    await chmod(directory, 0o755);
    expect(await failure(dial(place))).toMatchObject({ kind: "denied" });
    await chmod(directory, 0o700);
  });

  it("skips garbage, however much, and goes on with the next ring", async () => {
    const place = await newPlace();
    const { accepted } = await listen(place);
    const writer = open(place.path, WRITE);
    // Long lines, ids that are none, ids of nothing, ids that lead elsewhere, no end of line.
    for (let i = 0; i < 20; i++) {
      writeSync(writer, Buffer.alloc(4_000, 0xa7));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    writeSync(writer, `\n\n${ID}\n../../etc/passwd\n..//////////////\n${ID.toUpperCase()}\n${ID}${ID}\nhalf`);
    for (let i = 0; i < 3; i++) await dial(place);
    await until("three links", () => accepted.length === 3);
    await onlyDoor(place.path);
  });

  it("that is full says so after a while, and serves again when it is read", {
    timeout: 20_000,
  }, async () => {
    const place = await newPlace();
    const child = await start("pipe-listener", [place.path]);
    child.process.kill("SIGSTOP");
    const writer = open(place.path, WRITE);
    const isFull = (): boolean => {
      try {
        writeSync(writer, "nobody comes in\n");
        return false;
      } catch {
        return true;
      }
    };
    await until("the door is full", () => {
      for (let i = 0; i < 1_000; i++) if (isFull()) return true;
      return false;
    });
    expect(await failure(dial(place))).toMatchObject({
      kind: "busy",
      message: expect.stringContaining("is busy"),
    });
    await onlyDoor(place.path);
    const waiting = dial(place);
    child.process.kill("SIGCONT");
    await waiting;
  });
});

describe("a listener that", () => {
  it("stands still is waited for, until the dialler's signal or time ends that", async () => {
    const place = await newPlace();
    const child = await start("pipe-listener", [place.path]);
    child.process.kill("SIGSTOP");
    const before = openFiles();
    const controller = new AbortController();
    const reason = new Error("no longer");
    setTimeout(() => controller.abort(reason), 100);
    expect(await failure(pipe.dial(place, LIMITS, controller.signal))).toMatchObject({
      kind: "unavailable",
      cause: reason,
    });
    expect(await failure(pipe.dial(place, { ...LIMITS, frameTimeoutMs: 200 }, undefined))).toMatchObject({
      kind: "busy",
      message: expect.stringContaining("did not take the request in time"),
    });
    await onlyDoor(place.path);
    expect(openFiles()).toBeLessThanOrEqual(before);
    child.process.kill("SIGCONT");
    await dial(place);
  });

  it("is killed while it is dialled is told of within moments, not when the time is over", async () => {
    const place = await newPlace();
    const child = await start("pipe-listener", [place.path]);
    child.process.kill("SIGSTOP");
    const dialling = failure(pipe.dial(place, { ...LIMITS, frameTimeoutMs: 25_000 }, undefined));
    await until("a request", () => readdirSync(dirname(place.path)).length === 2);
    await child.kill("SIGKILL");
    expect(await dialling).toMatchObject({ kind: "notFound" });
    await onlyDoor(place.path);
  });

  it("succeeds a killed one serves a dialler that was rung for by it", async () => {
    const place = await newPlace();
    const child = await start("pipe-listener", [place.path]);
    child.process.kill("SIGSTOP");
    const dialling = failure(dial(place));
    await until("a request", () => readdirSync(dirname(place.path)).length === 2);
    await child.kill("SIGKILL");
    await listen(place);
    // Its ring died with the door: it is told so, and can dial again.
    expect(await dialling).toMatchObject({ kind: "notFound" });
    await dial(place);
    await onlyDoor(place.path);
  });
});

describe("a request", () => {
  it("that is well made is taken: both ends are open, and its folder is gone", async () => {
    const place = await newPlace();
    const { accepted } = await listen(place);
    const { folder } = await request(place.path);
    ring(place.path, `${ID}\n`);
    await until("a link", () => accepted.length === 1);
    await until("no folder", () => !existsSync(folder));
    expect(accepted[0]!.info).toMatchObject({ transport: "pipe", location: place.path });
  });

  interface Wrong {
    readonly what: string;
    readonly spoil: (folder: string) => Promise<void>;
    readonly forRoot?: boolean;
  }
  const aside = (folder: string): string => join(dirname(folder), "aside");
  const wrongs: readonly Wrong[] = [
    {
      what: "is a symbolic link",
      async spoil(folder) {
        await rename(folder, aside(folder));
        await symlink(aside(folder), folder);
      },
    },
    {
      what: "has a symbolic link in it",
      async spoil(folder) {
        await rename(join(folder, "to-listener"), aside(folder));
        await symlink(aside(folder), join(folder, "to-listener"));
      },
    },
    {
      what: "has a regular file in it",
      async spoil(folder) {
        await rename(join(folder, "to-listener"), aside(folder));
        await writeFile(join(folder, "to-listener"), "", { mode: 0o600 });
      },
    },
    { what: "can be entered by others", spoil: (folder) => chmod(folder, 0o750) },
    { what: "can be written by others", spoil: (folder) => chmod(join(folder, "to-listener"), 0o620) },
    { what: "has a second name", spoil: (folder) => hardLink(join(folder, "to-dialler"), aside(folder)) },
    { what: "is another user's", spoil: (folder) => chown(folder, 12_345, 12_345), forRoot: true },
    {
      what: "has another user's FIFO in it",
      spoil: (folder) => chown(join(folder, "to-dialler"), 12_345, 12_345),
      forRoot: true,
    },
  ];

  it.each(wrongs.filter(({ forRoot = false }) => isRoot || !forRoot))(
    "that $what is not taken, and leaves the listener nothing open",
    async ({ spoil }) => {
      const place = await newPlace();
      const { accepted } = await listen(place);
      const { folder } = await request(place.path);
      await spoil(folder);
      const before = openFiles();
      const writer = open(place.path, WRITE);
      writeSync(writer, `${ID}\n`);
      await dial(place);
      await until("the good link", () => accepted.length === 1);
      // Ours: the writer, and the four ends of the good link.
      expect(openFiles()).toBeLessThanOrEqual(before + 5);
    },
  );

  it("is taken once, however often it is rung for", async () => {
    const place = await newPlace();
    const { accepted } = await listen(place);
    await request(place.path);
    ring(place.path, `${ID}\n`.repeat(50));
    await dial(place);
    await until("two links", () => accepted.length === 2);
  });
});

describe("a dialler that is killed and leaves", () => {
  const steps = [
    "an empty folder",
    "FIFOs that are not in place",
    "a request without a ring",
    "half a ring",
    "a request that was rung for",
    "a link",
  ];

  it.each(steps)("%s costs nobody anything", async (step) => {
    const place = await newPlace();
    const { accepted, listener } = await listen(place);
    const before = openFiles();
    const child = await startProgram("pipe-dialler", [place.path, step]);
    if (child.process.signalCode === null) await once(child.process, "exit");
    expect(child.process.signalCode).toBe("SIGKILL");
    const link = await dial(place);
    const got = recorder();
    link.start(got);
    await until("a link", () => accepted.length >= 1);
    link.close();
    await until("the end", () => got.end !== undefined);
    await until("nothing open", () => openFiles() <= before);
    await listener.close();
    // What has not got its place is removed by the name's next owner, or at a path after a minute.
    const left = (await names(place.path)).filter((name) => !name.includes("~"));
    expect(left).toEqual([]);
  });

  it("requests finds them removed by the next listener", async () => {
    const place = await newPlace();
    const child = await start("pipe-listener", [place.path]);
    const dialler = await startProgram("pipe-dialler", [place.path, "a request without a ring"]);
    if (dialler.process.signalCode === null) await once(dialler.process, "exit");
    expect((await names(place.path)).length).toBe(2);
    await child.kill("SIGKILL");
    await listen(place);
    await onlyDoor(place.path);
  });
});

describe("the end of a link", () => {
  const records = 500;
  const bytes = Buffer.concat([
    PREAMBLE,
    ...Array.from({ length: records }, (_, i) => Buffer.from([4, i & 0xff, i >> 8, 1, 2])),
  ]);

  async function accept(place: Place & { kind: "path" }) {
    const got = recorder();
    let link: Link | undefined;
    listeners.push(
      await pipe.listen(place, LIMITS, (accepted) => {
        link = accepted;
        links.push(accepted);
      }),
    );
    const ends = await request(place.path);
    ring(place.path, `${ID}\n`);
    await until("a link", () => link !== undefined);
    return { ...ends, got, link: link! };
  }

  function close(fd: number): void {
    closeSync(fd);
    fds.splice(fds.indexOf(fd), 1);
  }

  it("comes after all that was sent, also where the sender was gone before it was read", async () => {
    const { got, link, toListener, toDialler } = await accept(await newPlace());
    writeSync(toListener, bytes);
    close(toListener);
    close(toDialler);
    link.start(got);
    await until("the end", () => got.end !== undefined);
    expect(got.end).toEqual({ kind: "peer" });
    expect(got.records.length).toBe(records);
  });

  it("comes for a writer whose reader alone is gone, after what that has sent", async () => {
    const { got, link, toListener, toDialler } = await accept(await newPlace());
    link.start(got);
    close(toDialler);
    writeSync(toListener, bytes);
    send(link, Uint8Array.of(1));
    await until("the end", () => got.end !== undefined);
    expect(got.end).toEqual({ kind: "peer" });
    expect(got.records.length).toBe(records);
    expect(() => writeSync(toListener, "x")).toThrow("EPIPE");
  });
});

describe("without native code", () => {
  it("the system's mkfifo does, and the error says what is missing where there is none", async () => {
    const byProgram = pipeTransport({ makeFifos: mkfifoProgram() });
    const place = await newPlace();
    let accepted = 0;
    listeners.push(await byProgram.listen(place, LIMITS, () => accepted++));
    links.push(await byProgram.dial(place, LIMITS, undefined));
    await until("a link", () => accepted === 1);
    expect(mkfifoProgram({ PATH: dirname(place.path) })).toBeUndefined();
    const path = process.env["PATH"];
    process.env["PATH"] = "";
    try {
      const error = await failure(pipeTransport().listen(await newPlace(), LIMITS, () => {}));
      expect(error).toMatchObject({ kind: "unavailable", message: expect.stringContaining("mkfifo") });
    } finally {
      process.env["PATH"] = path;
    }
  });

  it("a path that is taken, or none, is told", async () => {
    const relative: Place = { kind: "path", path: "door" };
    expect(await failure(dial(relative))).toMatchObject({ kind: "invalid" });
    const long: Place = { kind: "path", path: `/tmp/${"x".repeat(300)}` };
    expect(await failure(dial(long))).toMatchObject({ kind: "invalid" });
  });
});
