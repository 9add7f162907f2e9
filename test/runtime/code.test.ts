import { Code as ConnectCode } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { CODES, codeFromNumber, codeToNumber } from "../../runtime/code.js";

describe("codes", () => {
  it("have the numbers of google.rpc.Code, as another library knows them", () => {
    const theirs = Object.entries(ConnectCode).filter(([, number]) => typeof number === "number");
    expect(theirs).toHaveLength(16);
    for (const [name, number] of theirs) {
      const ours = CODES.find(
        (code) => code.replaceAll("_", "").replace("CANCELLED", "CANCELED") === name.toUpperCase(),
      );
      expect(ours && codeToNumber(ours), name).toBe(number);
    }
  });

  it("are read back from their numbers, unknown ones as UNKNOWN", () => {
    for (const code of CODES) expect(codeFromNumber(codeToNumber(code))).toBe(code);
    expect([0, 17, -1, 1_000].map(codeFromNumber)).toEqual(["UNKNOWN", "UNKNOWN", "UNKNOWN", "UNKNOWN"]);
  });
});
