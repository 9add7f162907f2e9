import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { JsonValue } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newsOf } from "../../cli/news.js";
import { Simple } from "../../gen/protoipc/v1/simple_protoipc.js";
import { type AnyTopic, open, type Publication } from "../../index.js";
import { cli, endStage, startStage } from "./stage.js";

beforeAll(startStage);
afterAll(endStage);

describe("news", () => {
  const topic = Simple.strings as AnyTopic;
  let newest: unknown;
  const subscription = { latest: () => ({ message: newest }) } as never;
  const publication = (key: string, message: unknown): Publication<unknown, unknown> =>
    ({ key: { name: key }, message }) as never;

  it("are what differs from the value before, by key", () => {
    const isNews = newsOf({ ...topic, rules: { ...topic.rules, history: 0 } }, subscription);
    const told = (key: string, message: JsonValue): boolean =>
      isNews(publication(key, {}), { name: key }, message);
    expect([told("a", 1), told("b", 1), told("a", 1), told("a", 2), told("a", 1), told("b", 1)]).toEqual([
      true,
      true,
      false,
      true,
      true,
      false,
    ]);
  });

  it("are not what has a newer value behind it already", () => {
    const isNews = newsOf(topic, subscription);
    const [first, second] = [{}, {}];
    newest = second;
    expect(isNews(publication("a", first), { name: "a" }, 1)).toBe(false);
    expect(isNews(publication("a", second), { name: "a" }, 2)).toBe(true);
  });
});

describe("protoipc sub --latest", () => {
  it("prints the newest value of each key, and then changes", async () => {
    const endpoint = await open({ name: "board" });
    try {
      const publisher = await endpoint.publisher(Simple.strings);
      const publish = (name: string, value: string): unknown => publisher.publish({ name }, { value });
      for (const value of ["old", "new"]) publish("a", value);
      publish("b", "new");
      const args = ["sub", "Simple/Strings", "--latest", "--count", "3", "--json"];
      const child = spawn(process.execPath, [cli, ...args], { stdio: ["ignore", "pipe", "inherit"] });
      const came: object[] = [];
      for await (const line of createInterface({ input: child.stdout })) {
        came.push(JSON.parse(line) as object);
        if (came.length !== 2) continue;
        publish("a", "new");
        publish("b", "newer");
      }
      expect(came).toMatchObject([
        { key: { name: "a" }, message: "new", seq: 2 },
        { key: { name: "b" }, message: "new", seq: 1 },
        { key: { name: "b" }, message: "newer", seq: 2 },
      ]);
    } finally {
      await endpoint.close();
    }
  });
});
