import { execFileSync } from "node:child_process";
import { chmod, chown, lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type ClaimOptions,
  checkEndpointName,
  chooseDomain,
  chooseRoot,
  claimName,
  type Entry,
  endpointDirectory,
  ensurePrivateDirectory,
  findEndpoint,
  isPrivateDirectory,
  type Offered,
  readEntry,
} from "../../transports/directory/index.js";
import { takeNumberedLock } from "../../transports/directory/lock.js";
import { processStart } from "../../transports/directory/process-start.js";
import { newFolder } from "./folder.js";

const isRoot = process.geteuid?.() === 0;
const uid = process.geteuid?.();

async function newOptions(): Promise<ClaimOptions> {
  return {
    root: { path: join(await newFolder(), "root"), rule: "PROTOIPC_DIR" },
    domain: "default",
    name: "market",
    incarnation: "00ff",
    implementation: "test/1",
  };
}

const offered = (...transports: string[]): Offered => ({ transports, services: [], topics: [] });

/** What the entry of `newOptions` holds. */
async function ownEntry(...transports: string[]): Promise<Entry> {
  const startTime = (await processStart(process.pid)) ?? "";
  const self = { name: "market", pid: process.pid, startTime, incarnation: "00ff", implementation: "test/1" };
  return { ...self, ...offered(...transports), protocol: 1 };
}

describe("the root", () => {
  it("is PROTOIPC_DIR, else below XDG_RUNTIME_DIR, else below /run/user, else in /tmp", async () => {
    const both = { PROTOIPC_DIR: "/a/b/", XDG_RUNTIME_DIR: "/run/x" };
    expect(await chooseRoot(both)).toEqual({ path: "/a/b/", rule: "PROTOIPC_DIR" });
    expect(await chooseRoot({ ...both, PROTOIPC_DIR: "" })).toEqual({
      path: "/run/x/protoipc",
      rule: "XDG_RUNTIME_DIR",
    });
    const fallback = await chooseRoot({ XDG_RUNTIME_DIR: "relative" });
    expect([`/run/user/${uid}/protoipc`, `/tmp/protoipc-${uid}`]).toContain(fallback.path);
    expect(fallback.path.startsWith(fallback.rule)).toBe(true);
    await expect(chooseRoot({ PROTOIPC_DIR: "here" })).rejects.toMatchObject({
      kind: "invalid",
      message: "PROTOIPC_DIR is here, which is no absolute path",
    });
  });
});

describe("a private directory", () => {
  it("is made with mode 0700, with those above it", async () => {
    const path = join(await newFolder(), "a", "b");
    expect(await isPrivateDirectory(path)).toBe(false);
    await ensurePrivateDirectory(path);
    await ensurePrivateDirectory(path);
    expect((await lstat(path)).mode & 0o777).toBe(0o700);
    expect((await lstat(join(path, ".."))).mode & 0o777).toBe(0o700);
  });

  it("is not one that others may enter, nor a link, a file or a pipe", async () => {
    const folder = await newFolder();
    const refused = async (name: string, why: string): Promise<void> => {
      const path = join(folder, name);
      await expect(ensurePrivateDirectory(path)).rejects.toMatchObject({
        kind: "denied",
        message: expect.stringContaining(why),
      });
      await expect(isPrivateDirectory(path)).rejects.toMatchObject({
        message: expect.stringContaining(path),
      });
    };
    await mkdir(join(folder, "open"), { mode: 0o700 });
    await chmod(join(folder, "open"), 0o710);
    await refused("open", "0710");
    await symlink("/tmp", join(folder, "link"));
    await refused("link", "a symbolic link");
    await symlink("/nonexistent/target", join(folder, "dangling"));
    await refused("dangling", "a symbolic link");
    await writeFile(join(folder, "file"), "");
    await refused("file", "no directory");
    execFileSync("mkfifo", [join(folder, "pipe")]);
    await refused("pipe", "no directory");
  });

  it.runIf(isRoot)("is not another user's, nor below a directory that another user may change", async () => {
    const folder = await newFolder();
    const foreign = join(folder, "foreign");
    await mkdir(foreign, { mode: 0o700 });
    await chown(foreign, 65_534, 65_534);
    await expect(ensurePrivateDirectory(foreign)).rejects.toMatchObject({
      message: expect.stringContaining("belongs to user 65534"),
    });
    await expect(ensurePrivateDirectory(join(foreign, "ours"))).rejects.toMatchObject({ kind: "denied" });
    await chmod(folder, 0o777);
    await expect(ensurePrivateDirectory(join(folder, "ours"))).rejects.toMatchObject({
      message: expect.stringContaining("can replace it"),
    });
    await chmod(folder, 0o1777);
    await ensurePrivateDirectory(join(folder, "ours"));
  });
});

describe("a name", () => {
  it("has 1 to 64 letters, digits, dots, underscores and hyphens, and begins with no dot", () => {
    for (const name of ["a", "Market.v1_x-2", "-", "x".repeat(64)]) checkEndpointName(name);
    for (const name of ["", ".", "..", ".x", "a/b", "a b", "a~", "é", "a\n", "a\0", "x".repeat(65)]) {
      expect(() => checkEndpointName(name), name).toThrow(expect.objectContaining({ kind: "invalid" }));
      if (name !== "")
        expect(() => chooseDomain(name), name).toThrow(expect.objectContaining({ kind: "invalid" }));
    }
  });

  it("is in a domain: the one given, else PROTOIPC_DOMAIN, else default", () => {
    expect(chooseDomain("a", { PROTOIPC_DOMAIN: "b" })).toBe("a");
    expect(chooseDomain(undefined, { PROTOIPC_DOMAIN: "b" })).toBe("b");
    expect(chooseDomain(undefined, {})).toBe("default");
    expect(() => chooseDomain(undefined, { PROTOIPC_DOMAIN: "../b" })).toThrow("is no domain");
  });
});

describe("a claim", () => {
  it("makes the directory and the entry, and removes both", async () => {
    const options = await newOptions();
    const claim = await claimName(options);
    expect(claim.directory).toBe(endpointDirectory(options.root, "default", "market"));
    expect((await readdir(claim.directory)).sort()).toEqual(["entry", "secret"]);
    expect(await readEntry(claim.directory)).toEqual(await ownEntry());
    await claim.announce(offered("unix", "pipe"));
    expect(await readEntry(claim.directory)).toEqual(await ownEntry("unix", "pipe"));
    expect((await lstat(join(claim.directory, "secret"))).mode & 0o777).toBe(0o600);
    await claim.release();
    await claim.release();
    expect(await readdir(join(options.root.path, "default"))).toEqual([]);
    expect(await readEntry(claim.directory)).toBeUndefined();
  });

  it("is refused while another has the name, and given when that is released", async () => {
    const options = await newOptions();
    const first = await claimName(options);
    const other = await claimName({ ...options, name: "other" });
    await expect(claimName(options)).rejects.toMatchObject({
      name: "TransportError",
      kind: "inUse",
      message:
        `the endpoint name market in domain default is taken by process ${process.pid} (this one); ` +
        `its directory is ${first.directory}`,
    });
    expect((await readEntry(first.directory))?.pid).toBe(process.pid);
    await first.release();
    const second = await claimName(options);
    await first.release();
    expect(await readEntry(second.directory)).toBeDefined();
    await second.release();
    await other.release();
  });

  it("is given to one of many that ask at once while its owner lets go", async () => {
    const options = await newOptions();
    for (let round = 0; round < 20; round++) {
      const owner = await claimName(options);
      const asked = Array.from({ length: 8 }, () => claimName(options));
      const released = owner.release();
      const results = await Promise.allSettled(asked);
      await released;
      const won = results.filter((result) => result.status === "fulfilled");
      expect(won.length).toBeLessThanOrEqual(1);
      for (const result of results) {
        if (result.status === "rejected") expect(result.reason).toMatchObject({ kind: "inUse" });
      }
      for (const { value } of won) {
        expect((await readEntry(value.directory))?.pid).toBe(process.pid);
        await value.release();
      }
    }
  });

  it("has one holder at any moment, however claims and releases meet", { timeout: 30_000 }, async () => {
    const options = await newOptions();
    const witness = join(await newFolder(), "held");
    let held = 0;
    const contend = async (): Promise<void> => {
      for (let round = 0; round < 40; round++) {
        const claim = await claimName(options).catch((error: unknown) => {
          expect(error).toMatchObject({ kind: "inUse" });
          return undefined;
        });
        if (claim === undefined) continue;
        // Fails where another holder has made it and not yet removed it.
        await writeFile(witness, "", { flag: "wx" });
        held++;
        await rm(witness);
        await claim.release();
      }
    };
    await Promise.all(Array.from({ length: 8 }, contend));
    expect(held).toBeGreaterThan(8);
  });

  it("needs the file lock as well, where there is one", async () => {
    const options = await newOptions();
    const calls: string[] = [];
    const held = await claimName({
      ...options,
      fileLock: (path) => {
        calls.push(path);
        return () => calls.push("unlock");
      },
    });
    expect(calls).toEqual([join(held.directory, "secret")]);
    await held.release();
    expect(calls).toEqual([join(held.directory, "secret"), "unlock"]);
    await expect(claimName({ ...options, fileLock: () => undefined })).rejects.toMatchObject({
      kind: "inUse",
      message: expect.stringContaining("a process that does not say its pid"),
    });
    await (await claimName(options)).release();
  });

  it("clears away what was left half made, and leaves what it does not know", async () => {
    const options = await newOptions();
    const directory = endpointDirectory(options.root, "default", "market");
    await ensurePrivateDirectory(options.root.path);
    await ensurePrivateDirectory(directory);
    await writeFile(join(directory, "unix~abcd"), "");
    await writeFile(join(directory, "notes"), "mine");
    const claim = await claimName(options);
    expect((await readdir(directory)).sort()).toEqual(["entry", "notes", "secret"]);
    await claim.release();
    expect(await readdir(directory)).toEqual(["notes"]);
  });

  const hostile: [string, (path: string) => Promise<void>][] = [
    ["a symbolic link", (path) => symlink("/etc/hostname", path)],
    ["a pipe", async (path) => void execFileSync("mkfifo", ["-m", "600", path])],
    ["a folder", (path) => mkdir(path)],
    ["a huge file", (path) => writeFile(path, Buffer.alloc(70_000), { mode: 0o600 })],
    [
      "a file that others may write",
      (path) => writeFile(path, "x".repeat(32)).then(() => chmod(path, 0o666)),
    ],
  ];

  it.each(hostile)("is refused, by name, where the secret is %s; nothing is removed", async (_what, make) => {
    const options = await newOptions();
    const directory = endpointDirectory(options.root, "default", "market");
    await ensurePrivateDirectory(directory);
    const path = join(directory, "secret");
    await make(path);
    await expect(claimName(options)).rejects.toMatchObject({
      kind: "denied",
      message: expect.stringContaining(path),
    });
    expect(await readdir(directory)).toEqual(["secret"]);
  });

  it.each(hostile)("of another is not misread where the entry is %s", async (_what, make) => {
    const options = await newOptions();
    const claim = await claimName(options);
    const path = join(claim.directory, "entry");
    await rm(path);
    await make(path);
    await expect(readEntry(claim.directory)).rejects.toMatchObject({
      kind: "denied",
      message: expect.stringContaining(path),
    });
    await expect(claimName(options)).rejects.toMatchObject({ kind: "denied" });
    await rm(path, { recursive: true });
    await claim.release();
  });

  it.each([
    "",
    "{}",
    "null",
    "not json",
    '{"name":1,"pid":1,"incarnation":"","transports":[],"protocol":1}',
    '{"name":"a","pid":0,"incarnation":"","transports":[],"protocol":1}',
    '{"name":"a","pid":1.5,"incarnation":"","transports":[],"protocol":1}',
    '{"name":"a","pid":1,"incarnation":"","transports":[1],"protocol":1}',
    '{"name":"a","pid":1,"incarnation":"","transports":"unix","protocol":1}',
    '{"name":"a","pid":1,"incarnation":"","transports":[],"protocol":1,"startTime":5}',
    '{"name":"a","pid":1,"incarnation":"","transports":[],"protocol":1,"services":[{}]}',
    '{"name":"a","pid":1,"incarnation":"","transports":[],"protocol":1,"topics":["t"]}',
    '{"name":"a","pid":1,"incarnation":"","transports":[],"protocol":1,"topics":[{"name":"t","fingerprint":1}]}',
  ])("has no entry in %j", async (text) => {
    const directory = await newFolder();
    await writeFile(join(directory, "entry"), text);
    await expect(readEntry(directory)).rejects.toMatchObject({ kind: "denied" });
  });

  it("is in an entry of an older writer, which says less", async () => {
    const directory = await newFolder();
    await writeFile(
      join(directory, "entry"),
      '{"name":"a","pid":1,"incarnation":"00","transports":["unix"],"protocol":1,"topics":[{"name":"t"}]}',
    );
    expect(await readEntry(directory)).toEqual({
      name: "a",
      pid: 1,
      startTime: "",
      incarnation: "00",
      implementation: "",
      transports: ["unix"],
      services: [],
      topics: [{ name: "t", fingerprint: "" }],
      protocol: 1,
    });
  });

  it("leaves the entry as JSON that any language reads", async () => {
    const claim = await claimName(await newOptions());
    await claim.announce(offered("unix"));
    const text = await readFile(join(claim.directory, "entry"), "utf8");
    expect(text).toBe(`${JSON.stringify(await ownEntry("unix"))}\n`);
    await claim.release();
  });
});

describe("the lock of systems without abstract sockets", () => {
  it("has one holder at any moment, and goes to the next when that is gone", {
    timeout: 30_000,
  }, async () => {
    const directory = await newFolder();
    const witness = join(await newFolder(), "held");
    let held = 0;
    const contend = async (): Promise<void> => {
      for (let round = 0; round < 60; round++) {
        const unlock = await takeNumberedLock(directory);
        if (unlock === undefined) continue;
        await writeFile(witness, "", { flag: "wx" });
        held++;
        await rm(witness);
        await unlock();
      }
    };
    await Promise.all(Array.from({ length: 8 }, contend));
    expect(held).toBeGreaterThan(8);
    expect(await readdir(directory)).toEqual([`lock-${held - 1}`]);
    const unlock = await takeNumberedLock(directory);
    expect(await takeNumberedLock(directory)).toBeUndefined();
    expect(await readdir(directory)).toEqual([`lock-${held}`]);
    await unlock?.();
  });
});

describe("an endpoint", () => {
  it("is found by its name, or not, with a word of where was looked and why there", async () => {
    const options = await newOptions();
    const { root, domain, name } = options;
    const lost = async (why: string): Promise<void> => {
      await expect(findEndpoint(root, domain, name)).rejects.toMatchObject({
        kind: "notFound",
        message: `no endpoint market in domain default: ${why} (the root ${root.path} was chosen by PROTOIPC_DIR)`,
      });
    };
    await lost(`${root.path} does not exist`);
    const other = await claimName({ ...options, name: "other" });
    await lost(`${root.path}/default/market does not exist`);
    const claim = await claimName(options);
    await claim.announce(offered("unix"));
    expect(await findEndpoint(root, domain, name)).toEqual({
      directory: claim.directory,
      entry: await ownEntry("unix"),
    });
    await rm(join(claim.directory, "entry"));
    await lost(`${claim.directory} has no entry`);
    await chmod(join(root.path, "default"), 0o755);
    await expect(findEndpoint(root, domain, name)).rejects.toMatchObject({ kind: "denied" });
    await chmod(join(root.path, "default"), 0o700);
    await expect(findEndpoint(root, domain, "../x")).rejects.toMatchObject({ kind: "invalid" });
    await claim.release();
    await other.release();
  });
});
