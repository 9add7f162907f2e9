import { readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Code } from "../../bindings/node/binding.js";
import { open } from "../../index.js";
import { claimName, fileLockBy } from "../../transports/directory/index.js";
import { shmTransport } from "../../transports/shm/index.js";
import type { Lent, Link } from "../../transports/transport.js";
import { credentialsBy, unixTransport } from "../../transports/unix/index.js";
import { numbered, put, recorder, send, until } from "../conformance/transport/recorder.js";
import { LIMITS } from "../conformance/transport/suite.js";
import { nativeThings } from "../harness/native-things.js";
import { shmBinding } from "../harness/shm.js";
import type { Child } from "./child.js";
import { newFolder } from "./folder.js";
import { echo, HAS_SHM, links, listeners, newPlace, pair, pattern, sendBlock, start } from "./shm-stage.js";

describe.runIf(HAS_SHM)("shared memory between processes", () => {
  it.each(["adaptive", "event", "spin"] as const)(
    "carries records both ways, waiting by %s",
    async (waiting) => {
      const { link, got } = await echo({ waiting });
      const total = 5_000;
      let sent = 0;
      const fill = (): void => {
        // Every size up to a few lines of the cache, so that the ring's end is met in every way.
        while (sent < total && sent < got.records.length + 300 && put(link, numbered(sent, sent % 777)))
          sent++;
        link.flush();
      };
      got.onEach = fill;
      fill();
      await until("every echo", () => got.records.length === total);
      const wrong = got.records.findIndex((record, i) => Buffer.compare(record, numbered(i, i % 777)) !== 0);
      expect(wrong).toBe(-1);
    },
  );

  it("carries payloads in blocks both ways", async () => {
    const { link, got } = await echo();
    const sizes = [1, 8_192, 65_537, 1_048_576, 8_388_608, 33_554_432];
    const came: Uint8Array[] = [];
    got.onBlock = (block) => came.push(block!.copy());
    for (const [i, size] of sizes.entries()) {
      expect(sendBlock(link, numbered(i, 20), pattern(size, i))).toBe(true);
      await until(`the echo of ${size} bytes`, () => came.length === i + 1);
      expect(Buffer.compare(came[i]!, pattern(size, i))).toBe(0);
    }
    await until("all is given back", () => link.readStats().blocksHeldByPeer === 0);
    expect(link.readStats().blocksHeldByUs).toBe(0);
  });

  it("tells who the peer is, as the kernel says", async () => {
    const { link, child } = await echo();
    expect(link.peer).toEqual({
      pid: child.process.pid,
      uid: process.geteuid?.(),
      gid: process.getegid?.(),
      verifiedBy: "kernel",
    });
  });

  it("leaves nothing behind when either side is killed, exits or closes, and its links end", {
    timeout: 60_000,
  }, async () => {
    const shared = readdirSync("/dev/shm");
    const before = nativeThings();
    const endings: readonly ((child: Child, link: Link) => Promise<void>)[] = [
      (child) => child.kill("SIGKILL"),
      async (child) => void child.process.stdin?.write("exit\n"),
      async (_child, link) => link.close(),
    ];
    for (const [i, end] of endings.entries()) {
      const { link, got, child } = await echo();
      const lents: (Lent | undefined)[] = [];
      got.onBlock = (block) => lents.push(block?.borrow());
      for (let n = 0; n < 20; n++) sendBlock(link, numbered(n, 20), pattern(100_000, n));
      await until("echoes", () => lents.length === 20);
      const during = nativeThings(child.process.pid!);
      expect(during.segments).toBeGreaterThan(0);
      await end(child, link);
      await until("the end", () => got.end !== undefined);
      expect(got.end).toEqual({ kind: i === 2 ? "local" : "peer" });
      expect(lents.map((lent) => lent?.bytes.length)).toEqual(new Array(20).fill(0));
      await until("nothing is left here", () => {
        const { segments, maps, pidfds } = nativeThings();
        return segments === before.segments && maps === before.maps && pidfds === before.pidfds;
      });
      if (i === 2) {
        expect(await child.next()).toEqual({ closed: "peer" });
        await until("nothing is left there", () => nativeThings(child.process.pid!).maps <= 1);
      }
    }
    expect(readdirSync("/dev/shm")).toEqual(shared);
  });

  it("delivers what a peer committed before it was killed", async () => {
    const { link, got, child } = await echo();
    for (let i = 0; i < 200; i++) put(link, numbered(i, 500));
    link.flush();
    await until("an echo", () => got.records.length > 0);
    const standsStillUntil = performance.now() + 100;
    while (performance.now() < standsStillUntil);
    await child.kill("SIGKILL");
    await until("the end", () => got.end !== undefined);
    expect(got.end).toEqual({ kind: "peer" });
    expect(got.records.length).toBe(200);
  });

  it("costs nothing while nobody sends", async () => {
    const { link, got, child } = await echo();
    send(link, numbered(1, 100));
    await until("an echo", () => got.records.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await child.ask("cost");
    const own = process.resourceUsage().voluntaryContextSwitches;
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { switches, cpuUs } = await child.ask("cost");
    // What is counted is the answer to this question, and nothing else: a loop that spins takes 500,000.
    expect(switches).toBeLessThan(20);
    expect(cpuUs).toBeLessThan(250_000);
    expect(process.resourceUsage().voluntaryContextSwitches - own).toBeLessThan(200);
    const { doorbellsSent } = link.readStats();
    expect(doorbellsSent).toBeLessThanOrEqual(1);
  });

  it("wakes a sleeping peer once for all that is sent in a turn", async () => {
    const { link, got } = await echo({ waiting: "event" });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const before = link.readStats().doorbellsSent;
    for (let i = 0; i < 100; i++) put(link, numbered(i, 100));
    link.flush();
    expect(link.readStats().doorbellsSent - before).toBe(1);
    await until("every echo", () => got.records.length === 100);
    await new Promise((resolve) => setTimeout(resolve, 20));
    send(link, numbered(0, 100));
    expect(link.readStats().doorbellsSent - before).toBe(2);
  });
});

describe.runIf(HAS_SHM)("a receiver of shared memory", () => {
  it("that throws is reported as Node does, and gets the records that follow", async () => {
    const { path } = await newPlace();
    const child = await start("shm-throws", [path]);
    expect(await child.next()).toEqual({
      records: 1_000,
      errors: 333,
      messages: ["a receiver must not throw"],
    });
  });

  it.each([0, 1, 2_000])("that comes when its peer is gone gets %d records, and the end", async (records) => {
    const { path } = await newPlace();
    const child = await start("shm-late-start", [path]);
    const link = await shmTransport().dial({ kind: "path", path }, LIMITS, undefined);
    link.start(recorder());
    for (let i = 0; i < records; i++) expect(put(link, numbered(i, 8))).toBe(true);
    link.close();
    expect(await child.next()).toEqual({ records, kind: "peer" });
  });

  it("may end the process", async () => {
    const { path } = await newPlace();
    const child = await start("shm-throws", [path, "exit"]);
    await until("it exits", () => child.process.exitCode !== null || child.process.signalCode !== null);
    expect(child.process.exitCode).toBe(7);
  });

  it("sees batches between which everything else has its turn", async () => {
    const { dialled, accepted } = await pair();
    const order: string[] = [];
    accepted.got.onEach = (_record, count) => {
      order.push("record");
      if (count === 1) {
        process.nextTick(() => order.push("tick"));
        Promise.resolve().then(() => order.push("microtask"));
      }
    };
    for (let i = 0; i < 600; i++) put(dialled.link, numbered(i, 8));
    dialled.link.flush();
    await until("every record", () => accepted.got.records.length === 600);
    const tick = order.indexOf("tick");
    expect(tick).toBeGreaterThan(0);
    expect(tick).toBeLessThanOrEqual(256);
    expect(Math.abs(order.indexOf("microtask") - tick)).toBe(1);
  });
});

describe.runIf(HAS_SHM)("native code for other transports", () => {
  it("tells a Unix socket's peer, as the kernel says", async () => {
    const binding = shmBinding()!;
    const credentialsOf = credentialsBy((fd) => binding.socketPeer(fd));
    const place = await newPlace();
    listeners.push(await unixTransport({ credentialsOf }).listen(place, LIMITS, (link) => links.push(link)));
    const link = await unixTransport({ credentialsOf }).dial(place, LIMITS, undefined);
    links.push(link);
    await until("a link is accepted", () => links.length === 2);
    for (const { peer } of links) {
      const own = { pid: process.pid, uid: process.geteuid?.(), gid: process.getegid?.() };
      expect(peer).toEqual({ ...own, verifiedBy: "kernel" });
    }
    expect(binding.socketPeer(-1)).toBeUndefined();
  });

  it("locks the file of an endpoint's name, beside the lock that the kernel always has", async () => {
    const binding = shmBinding()!;
    const fileLock = fileLockBy((fd) => binding.lock(fd) !== Code.EINUSE);
    const root = { path: join(await newFolder(), "root"), rule: "PROTOIPC_DIR" } as const;
    const options = {
      root,
      domain: "default",
      name: "market",
      incarnation: "00",
      implementation: "",
      fileLock,
    };
    const claim = await claimName(options);
    const path = join(claim.directory, "secret");
    expect(fileLock(path)).toBeUndefined();
    expect(fileLock(join(claim.directory, "none"))).toBeUndefined();
    await claim.release();
    const successor = await claimName(options);
    expect(fileLock(path)).toBeUndefined();
    await successor.release();
    const file = join(await newFolder(), "file");
    await writeFile(file, "");
    const unlock = fileLock(file);
    expect(fileLock(file)).toBeUndefined();
    unlock?.();
    fileLock(file)!();

    // And so does every endpoint that has native code.
    process.env["PROTOIPC_DIR"] = root.path;
    const endpoint = await open({ name: "market" });
    expect(fileLock(path)).toBeUndefined();
    await endpoint.close();
    delete process.env["PROTOIPC_DIR"];
  });
});
