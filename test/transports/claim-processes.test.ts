import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { claimName, endpointDirectory, readEntry } from "../../transports/directory/index.js";
import { takeLock } from "../../transports/directory/lock.js";
import type { Link, Place } from "../../transports/transport.js";
import { unixTransport } from "../../transports/unix/index.js";
import { recorder, send, until } from "../conformance/transport/recorder.js";
import { LIMITS } from "../conformance/transport/suite.js";
import { type Child, startProgram } from "./child.js";
import { newFolder } from "./folder.js";

const children: Child[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) await child.kill("SIGKILL");
});

async function start(program: string, args: readonly string[]): Promise<Child> {
  const child = await startProgram(program, args);
  children.push(child);
  return child;
}

async function echoes(place: Place): Promise<void> {
  const link: Link = await unixTransport().dial(place, LIMITS, undefined);
  const got = recorder();
  link.start(got);
  send(link, Uint8Array.of(1, 2, 3));
  await until("an echo", () => got.records.length === 1);
  link.close();
}

describe("one name, many processes", () => {
  it("is won by exactly one of sixteen, and the others learn its pid; twenty rounds", {
    timeout: 60_000,
  }, async () => {
    const root = join(await newFolder(), "root");
    const contenders = await Promise.all(
      Array.from({ length: 16 }, () => start("contender", [root, "default"])),
    );
    for (let round = 0; round < 20; round++) {
      const answers = await Promise.all(contenders.map((contender) => contender.ask("claim market")));
      const winners = contenders.filter((_contender, i) => answers[i]?.["won"] === true);
      expect(winners.length).toBe(1);
      const winner = winners[0]!;
      for (const answer of answers) {
        if (answer["won"] === true) continue;
        expect(answer).toMatchObject({
          kind: "inUse",
          message: expect.stringContaining(`is taken by process ${winner.process.pid};`),
        });
      }
      // Every other owner is killed, so that the next round begins with what it left.
      if (round % 2 === 0) {
        await winner.ask("release");
      } else {
        await winner.kill("SIGKILL");
        contenders[contenders.indexOf(winner)] = await start("contender", [root, "default"]);
      }
    }
  });

  it("is kept by its owner whatever a loser does on its way out", async () => {
    const root = join(await newFolder(), "root");
    const owner = await start("echo-listener", [root, "default", "market"]);
    const loser = await start("contender", [root, "default"]);
    expect(await loser.ask("claim market")).toMatchObject({ won: false });
    await loser.ask("release");
    await loser.kill("SIGTERM");
    const directory = endpointDirectory({ path: root, rule: "PROTOIPC_DIR" }, "default", "market");
    expect((await readdir(directory)).sort()).toEqual(["entry", "secret", "unix"]);
    expect((await readEntry(directory))?.pid).toBe(owner.process.pid);
    await echoes({ kind: "name", name: "market", directory });
  });
});

describe("a listener that is killed", () => {
  it("starts again under the same name at once, twenty times, and leaves nothing in the way", {
    timeout: 60_000,
  }, async () => {
    const root = join(await newFolder(), "root");
    const directory = endpointDirectory({ path: root, rule: "PROTOIPC_DIR" }, "default", "market");
    const place: Place = { kind: "name", name: "market", directory };
    for (let round = 0; round < 20; round++) {
      const listener = await start("echo-listener", [root, "default", "market"]);
      await echoes(place);
      await listener.kill("SIGKILL");
      await expect(unixTransport().dial(place, LIMITS, undefined)).rejects.toMatchObject({
        kind: "notFound",
      });
      expect((await readdir(directory)).sort()).toEqual(["entry", "secret", "unix"]);
    }
    const claim = await claimName({
      root: { path: root, rule: "PROTOIPC_DIR" },
      domain: "default",
      name: "market",
      incarnation: "",
      implementation: "",
    });
    const successor = await unixTransport().listen(place, LIMITS, (link) => link.close());
    await successor.close();
    await claim.release();
    expect(await readdir(join(root, "default"))).toEqual([]);
  });

  it("while it still starts, at any moment, leaves nothing that blocks the next one", {
    timeout: 60_000,
  }, async () => {
    const root = join(await newFolder(), "root");
    for (let round = 0; round < 15; round++) {
      const listener = startProgram("echo-listener", [root, "default", "market"]).catch(() => undefined);
      const contender = await start("contender", [root, "default"]);
      const answer = contender.ask("claim market").catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, round * 2));
      await contender.kill("SIGKILL");
      await answer;
      await (await listener)?.kill("SIGKILL");
    }
    const last = await start("echo-listener", [root, "default", "market"]);
    const directory = endpointDirectory({ path: root, rule: "PROTOIPC_DIR" }, "default", "market");
    expect((await readEntry(directory))?.pid).toBe(last.process.pid);
    expect((await readdir(directory)).sort()).toEqual(["entry", "secret", "unix"]);
    await echoes({ kind: "name", name: "market", directory });
  });

  it("is told from one that is stopped: that one has its name still, and is busy when its queue is full", async () => {
    const root = join(await newFolder(), "root");
    const listener = await start("echo-listener", [root, "default", "market"]);
    const directory = endpointDirectory({ path: root, rule: "PROTOIPC_DIR" }, "default", "market");
    const place: Place = { kind: "name", name: "market", directory };
    listener.process.kill("SIGSTOP");
    const links: Link[] = [];
    let busy: unknown;
    while (busy === undefined && links.length < 5_000) {
      await unixTransport()
        .dial(place, LIMITS, undefined)
        .then(
          (link) => links.push(link),
          (error: unknown) => {
            busy = error;
          },
        );
    }
    expect(busy).toMatchObject({ name: "TransportError", kind: "busy" });
    await expect(unixTransport().listen(place, LIMITS, () => {})).rejects.toMatchObject({ kind: "inUse" });
    const late = unixTransport().dial(place, LIMITS, undefined);
    listener.process.kill("SIGCONT");
    links.push(await late);
    for (const link of links) link.close();
    await echoes(place);
  });
});

describe.runIf(process.platform === "linux")("the lock", () => {
  it("has the abstract name of the specification's worked example", async () => {
    const secret = Uint8Array.from({ length: 32 }, (_value, i) => i);
    const expected = "@protoipc-v1-5565c536483ef4be26b52fb463373669da5058673cd2744c0ef4d1d455fb1c7e".padEnd(
      108,
      "@",
    );
    const bound = async (): Promise<boolean> =>
      (await readFile("/proc/net/unix", "latin1")).includes(`${expected}\n`);
    const unlock = await takeLock(await newFolder(), secret, "market");
    expect(await bound()).toBe(true);
    expect(await takeLock(await newFolder(), secret, "market")).toBeUndefined();
    await unlock?.();
    expect(await bound()).toBe(false);
  });
});
