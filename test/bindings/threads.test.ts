import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, it } from "vitest";
import { shmTransport } from "../../transports/shm/index.js";
import type { Link, Listener } from "../../transports/transport.js";
import { until } from "../conformance/transport/recorder.js";
import { LIMITS } from "../conformance/transport/suite.js";
import { nativeThings } from "../harness/native-things.js";
import { shmBinding } from "../harness/shm.js";
import { newFolder } from "../transports/folder.js";

const PROGRAM = fileURLToPath(new URL("../../dist/test/programs/shm-worker.js", import.meta.url));
const WAYS = ["adaptive", "event", "spin"] as const;

let listener: Listener | undefined;

afterEach(async () => {
  await listener?.close();
  listener = undefined;
});

/** Answers every record, so that its links are always busy. */
function answer(link: Link, onEnd: () => void): void {
  link.start({
    onRecord(_bytes, _start, _end, block) {
      block?.copy();
      const slot = link.reserve(16);
      if (slot === undefined) return;
      const back = block === undefined ? undefined : link.blocks?.allocate(70_000);
      if (back === undefined || !link.commitBlock?.(slot, 16, back, back.start, back.end))
        link.commit(slot, 16);
      if (back !== undefined) link.blocks?.release(back);
      link.flush();
    },
    onWritable() {},
    onClose: onEnd,
  });
}

describe.runIf(shmBinding() !== undefined)("the addon in worker threads", () => {
  it("survives a hundred that are terminated in the middle of anything, and leaves nothing behind", {
    timeout: 90_000,
  }, async () => {
    const path = join(await newFolder(), "s");
    let links = 0;
    let ended = 0;
    listener = await shmTransport().listen({ kind: "path", path }, LIMITS, (link) => {
      links++;
      answer(link, () => ended++);
    });
    const before = nativeThings();
    for (let i = 0; i < 100; i++) {
      const workerData = { path, waiting: WAYS[i % 3], blocks: i % 4 === 3 };
      const worker = new Worker(PROGRAM, { workerData });
      // Every tenth is ended at some moment of its beginning.
      if (i % 10 === 9) {
        await new Promise((resolve) => setTimeout(resolve, 20 + i));
      } else {
        await once(worker, "message");
        await new Promise((resolve) => setTimeout(resolve, i % 7));
      }
      await worker.terminate();
    }
    expect(links).toBeGreaterThanOrEqual(90);
    await until("every link ends", () => ended === links);
    // The arena of this side stays as long as the listener does.
    await until("all is given back", () => {
      const { sockets, pidfds, segments, maps } = nativeThings();
      return (
        sockets === before.sockets && pidfds === before.pidfds && segments <= before.segments + 1 && maps <= 1
      );
    });
    await listener.close();
    await until("the arena goes, too", () => nativeThings().maps === before.maps);
  });

  it("connects two of them with each other and with this one", async () => {
    const path = join(await newFolder(), "s");
    let records = 0;
    listener = await shmTransport().listen({ kind: "path", path }, LIMITS, (link) => {
      link.start({
        onRecord: () => void records++,
        onWritable() {},
        onClose() {},
      });
    });
    const workers = WAYS.map(
      (waiting) => new Worker(PROGRAM, { workerData: { path, waiting, blocks: false } }),
    );
    await Promise.all(workers.map((worker) => once(worker, "message")));
    await until("the records of three", () => records === 150);
    await Promise.all(workers.map((worker) => worker.terminate()));
  });
});
