import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Hostwatch } from "../../gen/hostwatch/v1/hostwatch_protoipc.js";
import { Simple } from "../../gen/protoipc/v1/simple_protoipc.js";
import { type Endpoint, open } from "../../index.js";
import { hasProgram } from "../harness/programs.js";
import { endStage, run, shell, startStage } from "./stage.js";

let subscriber: Endpoint;

beforeAll(async () => {
  await startStage();
  subscriber = await open();
});
afterAll(async () => {
  await subscriber.close();
  await endStage();
});

describe("protoipc pub, without a message", () => {
  it("publishes those of the input, of one key or each with its own", async () => {
    const came: unknown[] = [];
    const strings = subscriber.subscribe(Simple.strings, {});
    const all = (async () => {
      for await (const { key, message } of strings) if (came.push([key.name, message.value]) === 4) break;
    })();
    const one = await run(["pub", "Simple/Strings", '{"name": "one"}'], { input: '"a"\n\n"b"\n' });
    expect(one).toEqual({ code: 0, out: "published 2 messages\n", error: "" });
    // What else `sub --json` prints does not count.
    const lines = [
      { key: { name: "x" }, message: "c", seq: 7, lost: 0 },
      { key: { name: "y" }, message: "d" },
    ].map((line) => JSON.stringify(line));
    const each = await run(["pub", "Simple/Strings", "--json"], { input: lines.join("\n") });
    expect(each).toMatchObject({ code: 0, error: "" });
    expect(each.out.trim().split("\n")).toHaveLength(2);
    await all;
    expect(came).toEqual([
      ["one", "a"],
      ["one", "b"],
      ["x", "c"],
      ["y", "d"],
    ]);
  });

  it("publishes them on a topic without a key", async () => {
    const loads = subscriber.subscribe(Hostwatch.load);
    const published = shell("bash", `echo '{"runnable": 4711}' | protoipc pub Hostwatch/Load`);
    for await (const { message } of loads) if (message.runnable === 4711) break;
    expect(await published).toMatchObject({ code: 0, error: "" });
  });

  it("names the line that is wrong, and what is wrong with it", async () => {
    subscriber.subscribe(Simple.bools, {});
    const wrong = async (input: string, ...args: string[]): Promise<string> => {
      const { code, error } = await run(["pub", "Simple/Bools", ...args], { input });
      expect(code).toBe(2);
      return error;
    };
    expect(await wrong("\ntru\n", '{"name": "a"}')).toContain("line 2 is no JSON");
    expect(await wrong('true\n"yes"\n', '{"name": "a"}')).toContain("line 2 is no google.protobuf.BoolValue");
    expect(await wrong("true\n")).toContain('line 1 has no "key" and "message"');
    expect(await wrong('{"key": {"nam": "a"}, "message": true}\n')).toContain('has no field "nam"');
  });

  it.skipIf(!hasProgram("script"))("asks for one at a terminal", async () => {
    const { out, code } = await shell("bash", `script -qec "protoipc pub Simple/Bools '{}'" /dev/null`);
    expect([code, out]).toEqual([2, expect.stringContaining("takes a key and a message")]);
  });
});
