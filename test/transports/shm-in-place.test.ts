import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TopicMessageView } from "../../gen/test/v1/echo_inplace.js";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { open } from "../../index.js";
import { pattern, same } from "../harness/pattern.js";
import { shmBinding } from "../harness/shm.js";

const PROGRAM = fileURLToPath(new URL("../../dist/test/programs/in-place-publisher.js", import.meta.url));
const COUNT = 40;
const MIB = 1_048_576;

let folder: string;
let before: string | undefined;
let child: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "protoipc-in-place-"));
  before = process.env["PROTOIPC_DIR"];
  process.env["PROTOIPC_DIR"] = folder;
});
afterEach(() => {
  child?.kill("SIGKILL");
  if (before === undefined) delete process.env["PROTOIPC_DIR"];
  else process.env["PROTOIPC_DIR"] = before;
  rmSync(folder, { recursive: true, force: true });
});

test.runIf(shmBinding() !== undefined)(
  "what another process writes into shared memory is read there by a view",
  { timeout: 60_000 },
  async () => {
    child = spawn(process.execPath, [PROGRAM, "writer", `${COUNT}`], {
      env: { ...process.env, PROTOIPC_DIR: folder },
      stdio: ["pipe", "pipe", "inherit"],
    });
    await once(child.stdout!, "data");
    await using reader = await open();
    const subscription = reader.subscribe(
      Echo.keyed,
      {},
      { from: "shm:writer", view: TopicMessageView, borrow: true },
    );
    let seen = 0;
    const buffers = new Set<ArrayBufferLike>();
    for await (const { message, isBorrowed, lost, publisher } of subscription) {
      seen++;
      expect([message.number, message.text, lost, isBorrowed]).toEqual([seen, "written in place", 0, true]);
      expect(publisher.pid).toBe(child.pid);
      const { body } = message;
      expect(same(body, pattern(MIB, seen))).toBe(true);
      // No copy: the field is a part of what was lent.
      expect(body.buffer).toBe(message.$bytes.buffer);
      buffers.add(body.buffer);
      // While it lives, what it published is borrowed.
      if (seen === COUNT) child.stdin!.end();
    }
    expect(seen).toBe(COUNT);
    expect([...buffers].every(({ byteLength }) => byteLength === 0 || byteLength >= MIB)).toBe(true);
  },
);
