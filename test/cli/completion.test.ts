import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { open } from "../../index.js";
import { hasProgram } from "../harness/programs.js";
import { directory, endStage, run, shell, startStage } from "./stage.js";

beforeAll(startStage);
afterAll(endStage);

const METHODS_IN_L = ["Label", "List", "Log"].map((name) => `hostwatch.v1.Hostwatch/${name}`);

async function complete(...words: string[]): Promise<string[]> {
  return lines((await run(["complete", "--", ...words])).out);
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

describe("protoipc complete", () => {
  it("completes commands, options, names and addresses", async () => {
    expect(await complete("d")).toEqual(["describe", "doctor"]);
    expect(await complete("sub", "--c")).toEqual(["--count"]);
    expect(await complete("ping", "")).toEqual(["hostwatch"]);
    expect(await complete("ping", "unix:")).toEqual(["unix:hostwatch"]);
    expect(await complete("call", "hostwatch.v1.Hostwatch/L")).toEqual(METHODS_IN_L);
    expect(await complete("call", "--to", "")).toEqual(["hostwatch"]);
    expect(await complete("completion", "f")).toEqual(["fish"]);
  });

  it("does not take an option's value for an argument", async () => {
    const begun = "hostwatch.v1.Hostwatch/L";
    expect(await complete("call", "--domain", "default", begun)).toEqual(METHODS_IN_L);
    expect(await complete("call", "--domain=default", "--json", begun)).toEqual(METHODS_IN_L);
    expect(await complete("call", "-H", "a:b", "--to", "hostwatch", begun)).toEqual(METHODS_IN_L);
    expect(await complete("call", "--", begun)).toEqual(METHODS_IN_L);
    expect(await complete("call", "List", begun)).toEqual([]);
    expect(await complete("call", "--timeout", "")).toEqual([]);
  });

  it("keeps to the domain and the endpoint that are given", async () => {
    const endpoint = await open({ name: "elsewhere", domain: "other" });
    try {
      expect(await complete("ping", "--domain", "other", "")).toEqual(["elsewhere"]);
      expect(await complete("ping", "--domain=other", "")).toEqual(["elsewhere"]);
      expect(await complete("call", "--domain", "other", "")).toEqual([]);
      expect(await complete("call", "--domain", "other", "--to", "")).toEqual(["elsewhere"]);
      expect(await complete("ls", "--domain", "")).toEqual(["default", "other"]);
      expect(await complete("ls", "--domain=o")).toEqual(["--domain=other"]);
      expect(await complete("call", "--to", "hostwatch", "hostwatch.v1.Hostwatch/L")).toEqual(METHODS_IN_L);
    } finally {
      await endpoint.close();
    }
  });
});

it("offers nothing that a shell would carry out", async () => {
  await mkdir(join(directory, "$(exit)"));
  expect(await complete("ls", "--domain", "")).not.toContain("$(exit)");
  expect(await complete("ls", "--domain", "$")).toEqual([]);
});

describe("the script", () => {
  /** What bash offers for words as it breaks them, the last of which is completed. */
  async function inBash(...words: string[]): Promise<string[]> {
    const { out } = await shell(
      "bash",
      [
        'eval "$(protoipc completion bash)"',
        `COMP_WORDS=(protoipc ${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length}; _protoipc`,
        `printf '%s\\n' "\${COMPREPLY[@]}"`,
      ].join("\n"),
    );
    return lines(out);
  }

  it("for bash completes, also behind its breaks", async () => {
    expect(await inBash("sub", "hostwatch.v1.Hostwatch/M")).toEqual(["hostwatch.v1.Hostwatch/Memory"]);
    expect(await inBash("call", "--domain", "=", "default", "hostwatch.v1.Hostwatch/L")).toEqual(
      METHODS_IN_L,
    );
    expect(await inBash("ping", "unix", ":", "ho")).toEqual(["hostwatch"]);
    expect(await inBash("ping", "unix", ":")).toEqual(["hostwatch"]);
    expect(await inBash("ls", "--domain", "=", "d")).toEqual(["default"]);
    expect(await inBash("ping", "nothing-like-it")).toEqual([]);
  });

  it.skipIf(!hasProgram("zsh"))("for zsh completes", async () => {
    const script = [
      "compdef() { :; }",
      'eval "$(protoipc completion zsh)"',
      // Where no line is edited there is no `compadd`; the line editor picks what begins as the word does.
      `compadd() { shift; print -l -- "\${(@P)1}"; }`,
      'offer() { words=(protoipc "$@"); CURRENT=$#words; _protoipc }',
      "offer sub hostwatch.v1.Hostwatch/M; offer call --domain \"'default'\" hostwatch.v1.Hostwatch/La; offer ping ''; offer ping x",
    ].join("\n");
    expect(lines((await shell("zsh", script)).out)).toEqual([
      "hostwatch.v1.Hostwatch/Memory",
      "hostwatch.v1.Hostwatch/Label",
      "hostwatch",
    ]);
  });

  it.skipIf(!hasProgram("fish"))("for fish completes", async () => {
    const script = [
      "protoipc completion fish | source",
      "complete -C 'protoipc sub hostwatch.v1.Hostwatch/M'",
      "complete -C 'protoipc call --domain default hostwatch.v1.Hostwatch/La'",
      "complete -C 'protoipc ping '",
    ].join("\n");
    expect(lines((await shell("fish", script)).out)).toEqual([
      "hostwatch.v1.Hostwatch/Memory",
      "hostwatch.v1.Hostwatch/Label",
      "hostwatch",
    ]);
  });

  it("is there for three shells", async () => {
    for (const other of ["bash", "zsh", "fish"])
      expect((await run(["completion", other])).out).toContain("protoipc complete");
    expect((await run(["completion", "tcsh"])).code).toBe(2);
  });
});
