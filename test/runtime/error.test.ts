import { describe, expect, it, vi } from "vitest";
import { IpcError, isIpcError } from "../../runtime/error.js";

describe("IpcError", () => {
  it("puts the code in front of the message", () => {
    expect(new IpcError("ABORTED", "no").message).toBe("ABORTED: no");
    expect(new IpcError("ABORTED", "no").rawMessage).toBe("no");
    expect(new IpcError("ABORTED", "").message).toBe("ABORTED");
    expect(new IpcError("ABORTED", "no")).toMatchObject({
      name: "IpcError",
      details: [],
      maybeExecuted: false,
    });
  });

  it("keeps its cause, and has none where none is given", () => {
    const cause = new Error("why");
    expect(new IpcError("ABORTED", "", { cause }).cause).toBe(cause);
    expect("cause" in new IpcError("ABORTED", "")).toBe(false);
  });

  it("is recognised across copies of the package, and nothing else is", async () => {
    vi.resetModules();
    const other = await import("../../runtime/error.js");
    expect(other.IpcError).not.toBe(IpcError);
    const foreign = new other.IpcError("ABORTED", "no");
    expect(foreign instanceof IpcError).toBe(true);
    expect(isIpcError(foreign)).toBe(true);
    expect(IpcError.from(foreign)).toBe(foreign);
    for (const value of [
      new Error("no"),
      undefined,
      null,
      "ABORTED",
      { code: "ABORTED", name: "IpcError" },
    ]) {
      expect(value instanceof IpcError).toBe(false);
    }
  });

  it("is not taken for an error of a class derived from it", () => {
    class MarketError extends IpcError {}
    expect(new MarketError("ABORTED", "") instanceof MarketError).toBe(true);
    expect(new MarketError("ABORTED", "") instanceof IpcError).toBe(true);
    expect(new IpcError("ABORTED", "") instanceof MarketError).toBe(false);
  });

  it("is made of anything thrown", () => {
    const thrown = new Error("broken");
    expect(IpcError.from(thrown)).toMatchObject({ code: "UNKNOWN", rawMessage: "broken", cause: thrown });
    expect(IpcError.from(thrown, "INTERNAL").code).toBe("INTERNAL");
    expect(IpcError.from("text")).toMatchObject({ code: "UNKNOWN", rawMessage: "text", cause: "text" });
    expect(IpcError.from(undefined).rawMessage).toBe("undefined");
    expect(IpcError.from(AbortSignal.abort().reason).code).toBe("CANCELLED");
    expect(IpcError.from(new DOMException("", "TimeoutError")).code).toBe("DEADLINE_EXCEEDED");
  });

  it("leaves out details that do not decode", () => {
    const codec = {
      typeName: "test.Text",
      maxSize: () => 0,
      encodeInto: (_message: unknown, _bytes: Uint8Array, offset: number) => offset,
      decode(bytes: Uint8Array, start: number, end: number): number {
        if (end - start !== 1) throw new RangeError("one byte is expected");
        return bytes[start]!;
      },
    };
    const details = [
      { typeName: "test.Text", value: Uint8Array.of(1, 2) },
      { typeName: "test.Text", value: Uint8Array.of(7) },
      { typeName: "test.Other", value: Uint8Array.of(8) },
    ];
    expect(new IpcError("ABORTED", "", { details }).findDetails(codec)).toEqual([7]);
  });
});
