import { dirname, posix } from "node:path";
import { describe, expect, it } from "vitest";
import { exists, filesOf, read } from "./sources.js";

const MAX_LINES = 500;

describe("sources", () => {
  const sources = filesOf(".ts", ".py", ".proto", ".c", ".h");

  it("are files that one can read at a sitting", () => {
    const long = sources.flatMap((path) => {
      const lines = read(path).split("\n").length - 1;
      return lines > MAX_LINES
        ? `${path} has ${lines} lines, above ${MAX_LINES}: take a noun out of it into a file of its own`
        : [];
    });
    expect(long).toEqual([]);
  });

  it("leave nothing for later", () => {
    // Put together, so that this file does not find itself.
    const later = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"].join("|")})\\b`);
    const found = sources.flatMap((path) =>
      later.test(read(path)) ? `${path}: do it now, or say in an issue what is to do` : [],
    );
    expect(found).toEqual([]);
  });

  it("leave no test out", () => {
    const left = /\b(it|test|describe)\.(only|skip|todo|fails)\b|\b[xf](it|describe)\(/;
    const found = filesOf(".test.ts").flatMap((path) =>
      left.test(read(path)) ? `${path}: run every test, or delete it` : [],
    );
    expect(found).toEqual([]);
  });

  it("silence neither the compiler nor `any`", () => {
    const silenced = new RegExp(`@ts-${"ignore"}|@ts-${"expect-error"}|@ts-${"nocheck"}|\\bas ${"any"}\\b`);
    // What the compiler must refuse is what this one tests.
    const others = filesOf(".ts").filter((path) => path !== "test/runtime/api-types.test.ts");
    const found = others.flatMap((path) =>
      silenced.test(read(path)) ? `${path}: give it the right type` : [],
    );
    expect(found).toEqual([]);
  });
});

describe("documents", () => {
  const documents = filesOf(".md");

  it("link to files that there are", () => {
    const broken = documents.flatMap((path) => {
      const text = read(path).replace(/```[\s\S]*?```/g, "");
      return Array.from(text.matchAll(/\]\(([^)\s]+)\)/g), ([, link]) => link!)
        .filter((link) => !/^([a-z]+:|#)/.test(link))
        .map((link) => ({ link, target: posix.join(dirname(path), decodeURI(link.replace(/#.*/, ""))) }))
        .filter(({ target }) => !exists(target))
        .map(({ link, target }) => `${path} links to ${link}, and there is no ${target}`);
    });
    expect(broken).toEqual([]);
  });

  it("have a changelog in the shape of Keep a Changelog", () => {
    const headings = read("CHANGELOG.md")
      .split("\n")
      .filter((line) => line.startsWith("#"));
    expect(headings[0]).toBe("# Changelog");
    const isVersion = /^## \[(Unreleased|\d+\.\d+\.\d+)\]( - \d{4}-\d{2}-\d{2})?$/;
    const isGroup = /^### (Added|Changed|Deprecated|Removed|Fixed|Security)$/;
    const wrong = headings.slice(1).filter((heading) => !isVersion.test(heading) && !isGroup.test(heading));
    expect(wrong).toEqual([]);
    expect(headings.filter((heading) => heading === "## [Unreleased]").length).toBeLessThanOrEqual(1);
    const versions = headings.filter((heading) => heading.startsWith("## "));
    expect(new Set(versions).size).toBe(versions.length);
  });
});
