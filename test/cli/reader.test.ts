import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cli, endStage, shell, startStage } from "./stage.js";

beforeAll(startStage);
afterAll(endStage);

const COMMANDS: readonly (readonly string[])[] = [
  ["--help"],
  ["ls"],
  ["ls", "--watch"],
  ["describe"],
  ["describe", "--json"],
  ["call", "List"],
  ["call", "Hostwatch/Watch", `{"pid": ${process.pid}, "intervalMs": 10}`],
  ["sub", "Hostwatch/Cores"],
  ["ping", "hostwatch"],
  ["doctor"],
  ["complete", "--", "call", ""],
  ["completion", "bash"],
];

describe("a command whose output is read no further", () => {
  it("ends well when its reader has what it wants", async () => {
    const { code, out, error } = await shell("bash", "set -o pipefail; protoipc sub Cores --json | head -1");
    expect([code, error]).toEqual([0, ""]);
    expect(out.split("\n")).toHaveLength(2);
  });

  it.each(COMMANDS.map((args) => [args.join(" "), args] as const))("ends well: %s", async (_name, args) => {
    const child = spawn(process.execPath, [cli, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.destroy();
    let err = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
    const [code] = (await once(child, "close")) as [number];
    expect([code, err]).toEqual([0, ""]);
  });
});
