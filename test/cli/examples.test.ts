import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Simple } from "../../gen/protoipc/v1/simple_protoipc.js";
import { type Endpoint, open } from "../../index.js";
import { endStage, root, run, shell, startStage } from "./stage.js";

/** Somebody has to be there who takes what the examples publish. */
let subscriber: Endpoint;

beforeAll(async () => {
  await startStage();
  subscriber = await open();
  subscriber.subscribe(Simple.strings, {});
});
afterAll(async () => {
  await subscriber.close();
  await endStage();
});

const COMMANDS = ["ls", "describe", "call", "sub", "pub", "ping", "doctor", "completion"];

async function expectToRun(example: string): Promise<void> {
  expect({ example, ...(await shell("bash", example)) }).toMatchObject({ example, code: 0, error: "" });
}

describe("the examples", () => {
  it.each(COMMANDS)("in the help of %s run", async (command) => {
    const { out } = await run([command, "--help"]);
    const examples = [
      ...out.slice(out.indexOf("\nExample:")).matchAll(/^ {2}(\S.*protoipc .*|protoipc .*)$/gm),
    ];
    expect(examples).not.toHaveLength(0);
    for (const [, example] of examples) await expectToRun(example!);
  });

  it("are there for every command that needs nothing else", async () => {
    const { out } = await run(["--help"]);
    const commands = Array.from(
      out.slice(out.indexOf("\nCommands:")).matchAll(/^ {2}(\w+)/gm),
      ([, name]) => name,
    );
    expect(commands).toEqual(["build", ...COMMANDS]);
  });

  it("in the guide run", async () => {
    const guide = readFileSync(join(root, "docs/guides/cli.md"), "utf8");
    const examples = [...guide.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, text]) =>
      text!.trim().split("\n"),
    );
    expect(examples.length).toBeGreaterThan(2);
    for (const example of examples) await expectToRun(example);
  });
});
