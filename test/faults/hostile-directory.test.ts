// What another user, or another program of this one, may have put where endpoints have their names.
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import {
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { lchown } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { MAX_ENTRY_BYTES } from "../../transports/directory/entry.js";
import { failureOf } from "../harness/failure.js";
import { programPath } from "../harness/program-path.js";
import { endpointPath, openHere, start } from "./stage.js";

const NOBODY = 65_534;
const ON_WINDOWS = process.platform === "win32";
const IS_ROOT = process.geteuid?.() === 0;
const CLI = ON_WINDOWS
  ? programPath("command-line")
  : fileURLToPath(new URL("../../cli/protoipc.mjs", import.meta.url));

/** A file, folder or link that nobody may have changed. */
interface Row {
  /** What stands there. */
  readonly what: string;
  /** Puts it there; `path` is the directory of an endpoint that left all it had, `outside` a folder elsewhere. */
  readonly put: (path: string, outside: string) => Promise<void>;
  /** What the refusal says. */
  readonly says: RegExp;
  /** Gives things to another user. */
  readonly needsRoot?: boolean;
}

const entryOf = (path: string): string => join(path, "entry");
const secretOf = (path: string): string => join(path, "secret");

async function replace(path: string, put: (path: string) => unknown): Promise<void> {
  await rm(path, { recursive: true, force: true });
  await put(path);
}

function fifo(path: string): void {
  execFileSync("mkfifo", ["-m", "600", path]);
}

async function socket(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen({ path }, resolve));
  onTestFinished(() => void server.close());
}

/** Another entry than the one that is there. */
async function changeEntry(path: string, change: Record<string, unknown>): Promise<void> {
  const entry = JSON.parse(await readFile(entryOf(path), "utf8")) as object;
  await writeFile(entryOf(path), JSON.stringify({ ...entry, ...change }));
}

const DIRECTORIES: readonly Row[] = [
  {
    what: "a link to a directory that is in order",
    put: async (path, outside) => {
      await rename(path, join(outside, "place"));
      await symlink(join(outside, "place"), path);
    },
    says: /place is not safe to use: it is a symbolic link/,
  },
  {
    what: "a link to nothing",
    put: (path) => replace(path, (at) => symlink("/nowhere", at)),
    says: /it is a symbolic link/,
  },
  { what: "a file", put: (path) => replace(path, (at) => writeFile(at, "mine")), says: /it is no directory/ },
  { what: "a FIFO", put: (path) => replace(path, fifo), says: /it is no directory/ },
  { what: "a socket", put: (path) => replace(path, socket), says: /it is no directory/ },
  {
    what: "a directory that others may enter",
    put: (path) => chmod(path, 0o755),
    says: /its mode is 0755, which lets other users in/,
  },
  {
    what: "another user's directory",
    put: (path) => lchown(path, NOBODY, NOBODY),
    says: /it belongs to user 65534, not to user 0/,
    needsRoot: true,
  },
  {
    what: "a secret that is a link",
    put: async (path, outside) => {
      await rename(secretOf(path), join(outside, "secret"));
      await symlink(join(outside, "secret"), secretOf(path));
    },
    says: /secret is a symbolic link/,
  },
  {
    what: "a secret that is a FIFO",
    put: (path) => replace(secretOf(path), fifo),
    says: /secret is no regular file/,
  },
  {
    what: "a secret that is a socket",
    put: (path) => replace(secretOf(path), socket),
    says: /secret is no regular file/,
  },
  {
    what: "a secret that is a directory",
    put: (path) => replace(secretOf(path), (at) => mkdir(at)),
    says: /secret is no regular file/,
  },
  {
    what: "a secret that is too short",
    put: (path) => writeFile(secretOf(path), "short"),
    says: /secret has 5 bytes, not 32/,
  },
  {
    what: "a secret that is too long",
    put: (path) => writeFile(secretOf(path), Buffer.alloc(1 << 20)),
    says: /secret has 1048576 bytes, the limit is 32/,
  },
  {
    what: "a secret that others can write",
    put: (path) => chmod(secretOf(path), 0o666),
    says: /secret can be written by other users/,
  },
  {
    what: "another user's secret",
    put: (path) => lchown(secretOf(path), NOBODY, NOBODY),
    says: /secret belongs to user 65534/,
    needsRoot: true,
  },
  {
    what: "an entry that is a link to one that is in order",
    put: async (path, outside) => {
      await rename(entryOf(path), join(outside, "entry"));
      await symlink(join(outside, "entry"), entryOf(path));
    },
    says: /entry is a symbolic link/,
  },
  {
    what: "an entry that is a FIFO",
    put: (path) => replace(entryOf(path), fifo),
    says: /entry is no regular file/,
  },
  {
    what: "an entry that is a socket",
    put: (path) => replace(entryOf(path), socket),
    says: /entry is no regular file/,
  },
  {
    what: "an entry that is a directory",
    put: (path) => replace(entryOf(path), (at) => mkdir(at)),
    says: /entry is no regular file/,
  },
  {
    what: "another user's entry",
    put: (path) => lchown(entryOf(path), NOBODY, NOBODY),
    says: /entry belongs to user 65534/,
    needsRoot: true,
  },
  {
    what: "an entry that others can write",
    put: (path) => chmod(entryOf(path), 0o622),
    says: /entry can be written by other users/,
  },
];

/** An owner of the name may replace these: they are files of its own, as a full disk or a power cut leaves them. */
const ENTRIES: readonly Row[] = [
  {
    what: "is huge",
    put: (path) => changeEntry(path, { implementation: "x".repeat(MAX_ENTRY_BYTES) }),
    says: /entry has \d+ bytes, the limit is 262144/,
  },
  { what: "is empty", put: (path) => writeFile(entryOf(path), ""), says: /entry is no entry of an endpoint/ },
  {
    what: "is no JSON",
    put: (path) => writeFile(entryOf(path), Buffer.from([0xff, 0x00, 0x7b, 0x22])),
    says: /is no entry/,
  },
  {
    what: "is nested without end",
    put: (path) => writeFile(entryOf(path), "[".repeat(MAX_ENTRY_BYTES)),
    says: /is no entry/,
  },
  {
    what: "is nested to its end",
    put: (path) =>
      writeFile(entryOf(path), "[".repeat(MAX_ENTRY_BYTES / 2) + "]".repeat(MAX_ENTRY_BYTES / 2)),
    says: /is no entry/,
  },
  { what: "is null", put: (path) => writeFile(entryOf(path), "null"), says: /is no entry/ },
  { what: "has a pid of 0", put: (path) => changeEntry(path, { pid: 0 }), says: /is no entry/ },
  { what: "has a negative pid", put: (path) => changeEntry(path, { pid: -1 }), says: /is no entry/ },
  { what: "has a pid in words", put: (path) => changeEntry(path, { pid: "1" }), says: /is no entry/ },
  {
    what: "has services that are text",
    put: (path) => changeEntry(path, { services: "all" }),
    says: /is no entry/,
  },
  {
    what: "has transports that are none",
    put: (path) => changeEntry(path, { transports: [{}] }),
    says: /is no entry/,
  },
  {
    what: "names another endpoint",
    put: (path) => changeEntry(path, { name: "other" }),
    says: /is of another endpoint, other/,
  },
  {
    what: "names a path",
    put: (path) => changeEntry(path, { name: "../../etc" }),
    says: /is of another endpoint, \.\.\/\.\.\/etc/,
  },
];

/** All below a directory, as it can be seen without opening a link or a pipe. */
async function picture(path: string): Promise<Record<string, string>> {
  const seen: Record<string, string> = {};
  const look = async (at: string): Promise<void> => {
    const found = await lstat(at);
    const kind = found.isDirectory() ? "directory" : found.isFile() ? "file" : "other";
    const content = found.isFile()
      ? createHash("sha256")
          .update(await readFile(at))
          .digest("hex")
      : found.isSymbolicLink()
        ? await readlink(at)
        : "";
    seen[at] = [kind, found.mode, found.uid, found.ino, content].join(" ");
    if (found.isDirectory()) for (const file of (await readdir(at)).sort()) await look(join(at, file));
  };
  await look(path);
  return seen;
}

let outside = "";

beforeEach(async () => {
  outside = await mkdtemp(join(tmpdir(), "po-"));
  await writeFile(join(outside, "precious"), "of somebody");
});

afterEach(async () => {
  await rm(outside, { recursive: true });
});

/** What an endpoint leaves that is killed. */
async function leave(name: string): Promise<string> {
  const child = await start("found-endpoint", [name]);
  await child.kill("SIGKILL");
  return endpointPath(name);
}

function doctor(): { check: string; finding: string }[] {
  const text = execFileSync(process.execPath, [CLI, "doctor", "--fix", "--json"], { encoding: "utf8" });
  return (JSON.parse(text) as { findings: { check: string; finding: string }[] }).findings;
}

describe("where an endpoint should be", () => {
  for (const { what, put, says, needsRoot = false } of DIRECTORIES) {
    it.skipIf(needsRoot && !IS_ROOT)(`${what} is refused by name, and left as it is`, async () => {
      const path = await leave("place");
      await put(path, outside);
      const before = [await picture(dirname(path)), await picture(outside)];
      const endpoint = await openHere({ discoverable: false });
      const refused = new Map<string, { code: string; message: string }>();
      endpoint.on("endpointRefused", (name, error) => refused.set(name, error));

      expect(await endpoint.peers()).toEqual([]);
      expect([...refused.keys()]).toEqual(["place"]);
      expect(refused.get("place")?.code).toBe("PERMISSION_DENIED");
      expect(refused.get("place")?.message).toMatch(says);

      const dialled = await failureOf(
        endpoint.client(Echo, "place").say({ text: "who" }, { timeoutMs: 5_000 }),
      );
      expect(dialled.code).toMatch(/PERMISSION_DENIED|UNAVAILABLE/);
      const claimed = await failureOf(openHere({ name: "place" }));
      expect(claimed.code).toBe("PERMISSION_DENIED");
      expect(claimed.message).toMatch(says);
      expect(doctor().filter(({ check }) => check === "endpoint place")).toMatchObject([
        { finding: expect.stringMatching(says) },
      ]);

      expect([await picture(dirname(path)), await picture(outside)]).toEqual(before);
      await endpoint.close();
    });
  }
});

describe("an entry that", () => {
  for (const { what, put, says } of ENTRIES) {
    it(`${what} is refused by name, and replaced only by who has the name`, async () => {
      const path = await leave("place");
      await put(path, outside);
      const before = await picture(dirname(path));
      const endpoint = await openHere({ discoverable: false });
      const refused: string[] = [];
      endpoint.on("endpointRefused", (name, { message }) => refused.push(`${name}: ${message}`));
      expect(await endpoint.peers()).toEqual([]);
      expect(refused).toEqual([expect.stringMatching(says)]);
      expect(doctor().filter(({ check }) => check === "endpoint place")).toMatchObject([
        { finding: expect.stringMatching(says) },
      ]);
      expect(await picture(dirname(path))).toEqual(before);

      const owner = await openHere({ name: "place" });
      expect((await endpoint.peers()).map(({ name }) => name)).toEqual(["place"]);
      await owner.close();
      await endpoint.close();
    });
  }
});

describe("where a domain should be", () => {
  for (const { what, put, says, needsRoot = false } of DIRECTORIES.slice(0, 7)) {
    it.skipIf(needsRoot && !IS_ROOT)(`${what} is refused by name, and left as it is`, async () => {
      const domain = dirname(await leave("place"));
      await put(domain, outside);
      const before = [await picture(dirname(domain)), await picture(outside)];
      const text = new RegExp(says.source.replace("place", "default"));
      const error = await failureOf(openHere({ name: "place" }));
      expect(error.code).toBe("PERMISSION_DENIED");
      expect(error.message).toMatch(text);
      expect([await picture(dirname(domain)), await picture(outside)]).toEqual(before);
    });
  }
});

describe("what stands beside what a dead endpoint left", () => {
  it("is not followed, and not removed where no endpoint makes such things", async () => {
    const path = await leave("place");
    const precious = join(outside, "precious");
    const kept = ["deep", "hard", "notes", "pipe-3"];
    if (!ON_WINDOWS) {
      await symlink(outside, join(path, "pipe-1"));
      await mkdir(join(path, "pipe-2"));
      await symlink(precious, join(path, "pipe-2", "to"));
      await symlink(precious, join(path, "entry~0badcafe"));
      await symlink(outside, join(path, "unix~0badcafe"));
      await symlink(precious, join(path, "soft"));
      kept.push("pipe-1", "soft");
    }
    await link(precious, join(path, "hard"));
    await writeFile(join(path, "notes"), "mine");
    await mkdir(join(path, "deep", "er"), { recursive: true });
    await mkdir(join(path, "pipe-3", "deep"), { recursive: true });
    await writeFile(join(path, "pipe-3", "deep", "notes"), "mine");
    const before = await picture(outside);

    const endpoint = await openHere({ discoverable: false });
    expect(await endpoint.peers()).toEqual([]);
    expect((await readdir(path)).sort()).toEqual(kept.sort());
    expect(await readFile(join(path, "pipe-3", "deep", "notes"), "utf8")).toBe("mine");
    expect(await picture(outside)).toEqual(before);

    // Whoever has the name next lives with it, and leaves it too.
    const owner = await openHere({ name: "place" });
    expect(
      (
        await endpoint
          .client(Echo, "place")
          .say({ text: "x" })
          .catch((error) => error)
      ).code,
    ).toBe("UNIMPLEMENTED");
    await owner.close();
    expect((await readdir(path)).sort()).toEqual(kept.sort());
    expect(await picture(outside)).toEqual(before);
    await endpoint.close();
  });

  it("is refused where a transport's file should be", async () => {
    const server = await openHere({ name: "place" });
    const endpoint = await openHere({ discoverable: false });
    const path = endpointPath("place");
    const dial = async (transport: string): Promise<string> =>
      (await failureOf(endpoint.client(Echo, `${transport}:place`).say({ text: "x" }, { timeoutMs: 3_000 })))
        .code;
    for (const transport of ON_WINDOWS ? (["pipe"] as const) : (["unix", "pipe"] as const)) {
      const file = join(path, transport);
      const kept = join(outside, `kept-${transport}`);
      await rename(file, kept);
      for (const put of [
        (at: string) => writeFile(at, "no socket, no pipe"),
        (at: string) => mkdir(at),
        ...(ON_WINDOWS ? [] : [(at: string) => symlink("/nowhere", at)]),
      ]) {
        await put(file);
        expect(await dial(transport)).toMatch(/UNAVAILABLE|PERMISSION_DENIED/);
        await rm(file, { recursive: true });
      }
      // A pipe where a socket should be, which must not block anybody, and the other way round.
      if (!ON_WINDOWS) {
        if (transport === "unix") fifo(file);
        else await socket(file);
        expect(await dial(transport)).toMatch(/UNAVAILABLE|PERMISSION_DENIED/);
        await rm(file);
      }
      await rename(kept, file);
      expect(await dial(transport)).toBe("UNIMPLEMENTED");
    }
    await server.close();
    await endpoint.close();
  });
});
