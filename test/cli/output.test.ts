import { describe, expect, it } from "vitest";
import { jsonText, plain, plainLine } from "../../cli/output.js";

describe("what a peer says", () => {
  it("steers no terminal", () => {
    const controls = Array.from({ length: 0xa0 }, (_, code) => code).filter(
      (code) => code < 0x20 || code > 0x7e,
    );
    const text = String.fromCharCode(...controls);
    expect(plain(text)).toMatch(/^[?\n]*$/);
    expect(plainLine(text)).toMatch(/^\?*$/);
    expect(plain("a\u009b31mb\u001b[2Jc\nd")).toBe("abc\nd");
    expect(plain("Größe é")).toBe("Größe é");
  });

  it("is the same JSON, with all control characters escaped", () => {
    const value = { "k\u009b": "a\u007fb\u0085c\u001b[2J é" };
    expect(jsonText(value)).toBe('{"k\\u009b":"a\\u007fb\\u0085c\\u001b[2J é"}');
    expect(JSON.parse(jsonText(value, 2))).toEqual(value);
  });
});
