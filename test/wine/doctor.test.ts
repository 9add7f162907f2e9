import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkDirectory, checkOtherRoots } from "../../cli/checks/directory.js";
import { claimName } from "../../transports/directory/index.js";

const OPTIONS = { timeout: 5_000 };
const VARIABLES = ["PROTOIPC_DIR", "LOCALAPPDATA", "XDG_RUNTIME_DIR"] as const;

let folder = "";
let before: (string | undefined)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "protoipc-test-"));
  before = VARIABLES.map((name) => process.env[name]);
});

afterEach(async () => {
  VARIABLES.forEach((name, i) => {
    const value = before[i];
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  });
  await rm(folder, { recursive: true });
});

describe.runIf(process.platform === "win32")("the doctor on Windows", () => {
  it("looks for names in the profile, and where other systems have them no more", async () => {
    process.env["PROTOIPC_DIR"] = join(folder, "chosen");
    process.env["LOCALAPPDATA"] = join(folder, "local");
    const open = join(process.env["PUBLIC"] ?? "C:\\Users\\Public", "protoipc");
    process.env["XDG_RUNTIME_DIR"] = join(open, "..");
    await mkdir(open);
    try {
      expect(await checkOtherRoots(OPTIONS)).toEqual([
        { check: "other directories", state: "ok", finding: "no endpoints elsewhere" },
      ]);
      const root = { path: join(folder, "local", "protoipc"), rule: "LOCALAPPDATA" } as const;
      const incarnation = "0".repeat(32);
      const claim = await claimName({
        root,
        domain: "default",
        name: "market",
        incarnation,
        implementation: "",
      });
      expect(await checkOtherRoots(OPTIONS)).toMatchObject([
        { state: "warning", finding: expect.stringContaining(`1 endpoints are in ${root.path}`) },
      ]);
      await claim.release();
    } finally {
      await rm(open, { recursive: true });
    }
  });

  it("measures no paths of sockets", async () => {
    process.env["PROTOIPC_DIR"] = join(folder, "n".repeat(100));
    expect(await checkDirectory(OPTIONS)).toMatchObject([{ state: "ok" }]);
  });
});
