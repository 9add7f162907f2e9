import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { shmTransport } from "../../transports/shm/index.js";
import type { Link } from "../../transports/transport.js";
import { shmBinding } from "../harness/shm.js";

const RECORDS = 1_000_000;
const TICK_MS = 5;
const LIMITS = { maxRecordBytes: 65_536, frameTimeoutMs: 5_000, sendBufferBytes: 262_144 };

let directory = "";

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pb-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

describe.skipIf(shmBinding() === undefined)("a burst of 1,000,000 records", () => {
  it.each(["adaptive", "event"] as const)(
    "rings seldom, and lets timers run (%s)",
    {
      timeout: 120_000,
    },
    async (waiting) => {
      const path = join(directory, "burst");
      let expected = 0;
      let wrong = 0;
      let ticks = 0;
      let beganMs = 0;
      let lastMs = 0;
      let longestMs = 0;
      const transport = shmTransport({ waiting });
      const done = new Promise<void>((resolve) => {
        const onLink = (link: Link): void => {
          link.start({
            onRecord(bytes, start, end) {
              if (expected === 0) beganMs = lastMs = performance.now();
              const number = new DataView(bytes.buffer, bytes.byteOffset + start).getUint32(0, true);
              if (number !== expected || end - start !== 64 || bytes[end - 1] !== (number & 255)) wrong++;
              expected++;
              if (expected < RECORDS) return;
              const slot = link.reserve(1);
              if (slot !== undefined) link.commit(slot, 1);
              link.flush();
            },
            onWritable() {},
            onClose: () => resolve(),
          });
        };
        void transport.listen({ kind: "path", path }, LIMITS, onLink).then((listener) => {
          void done.then(() => listener.close());
          const program = fileURLToPath(new URL("../../dist/test/programs/shm-burst.js", import.meta.url));
          sender = spawn(process.execPath, [program, path, String(RECORDS), "1000"], {
            stdio: ["ignore", "pipe", "inherit"],
          });
          said = text(sender.stdout!);
        });
      });
      let sender: ReturnType<typeof spawn> | undefined;
      let said: Promise<string> | undefined;
      const timer = setInterval(() => {
        if (expected === 0 || expected === RECORDS) return;
        const now = performance.now();
        longestMs = Math.max(longestMs, now - lastMs);
        lastMs = now;
        ticks++;
      }, TICK_MS);
      await done;
      clearInterval(timer);
      const tookMs = performance.now() - beganMs;
      if (sender?.exitCode === null) await once(sender, "exit");
      const stats = JSON.parse((await said) ?? "{}") as Record<string, number>;
      expect({ expected, wrong }).toEqual({ expected: RECORDS, wrong: 0 });
      expect(stats["recordsSent"]).toBeGreaterThanOrEqual(RECORDS);
      expect(stats["doorbellsSent"]).toBeLessThan(RECORDS / 100);
      // Liveness, not speed: a tenth of what an idle process would see, however long the burst took.
      expect(ticks).toBeGreaterThanOrEqual(Math.floor(tookMs / TICK_MS / 10));
      expect(longestMs).toBeLessThan(1_000);
    },
  );
});
