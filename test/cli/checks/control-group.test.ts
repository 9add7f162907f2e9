import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { memoryLimit } from "../../../cli/checks/control-group.js";

const roots: string[] = [];

afterEach(async () => {
  for (const root of roots.splice(0)) await rm(root, { recursive: true });
});

/** A root with these files. */
async function rootOf(files: Readonly<Record<string, string>>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "protoipc-cli-"));
  roots.push(root);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), `${text}\n`);
  }
  return root;
}

describe("the memory that control groups leave", () => {
  it("is that of the group, or of one above it, that leaves the least", async () => {
    const root = await rootOf({
      "proc/self/cgroup": "0::/user.slice/app",
      "sys/fs/cgroup/user.slice/memory.max": "1000",
      "sys/fs/cgroup/user.slice/memory.current": "900",
      "sys/fs/cgroup/user.slice/app/memory.max": "500",
      "sys/fs/cgroup/user.slice/app/memory.current": "100",
    });
    const path = join(root, "sys/fs/cgroup/user.slice/memory.max");
    expect(memoryLimit(root)).toEqual({ leftBytes: 100, maxBytes: 1000, path });
  });

  it("is told by version 1, too, and at the top where the group is not seen", async () => {
    const root = await rootOf({
      "proc/self/cgroup": "9:name=systemd:/\n4:cpu,memory:/docker/4ca2\n0::/",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "2000",
      "sys/fs/cgroup/memory/memory.usage_in_bytes": "500",
    });
    expect(memoryLimit(root)).toMatchObject({ leftBytes: 1500, maxBytes: 2000 });
  });

  it("is without a limit where none is said", async () => {
    expect(memoryLimit(await rootOf({}))).toBeUndefined();
    const second = await rootOf({ "proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/memory.max": "max" });
    expect(memoryLimit(second)).toBeUndefined();
    const first = await rootOf({
      "proc/self/cgroup": "4:memory:/a",
      "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712",
      "sys/fs/cgroup/memory/a/memory.usage_in_bytes": "1",
    });
    expect(memoryLimit(first)).toBeUndefined();
  });
});
