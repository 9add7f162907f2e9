import { describe, expect, it } from "vitest";
import { chosenTransports } from "../../platform/chosen-transports.js";
import { memoryTransport } from "../../transports/memory/index.js";
import { unixTransport } from "../../transports/unix/index.js";

const unix = unixTransport();
const memory = memoryTransport();

function choose(value: string | undefined, missing: Record<string, string> = {}) {
  return chosenTransports([unix, memory], missing, value === undefined ? {} : { PROTOIPC_TRANSPORTS: value });
}

describe("the transports of a process", () => {
  it("are all, where the environment says nothing", () => {
    expect(choose(undefined)).toEqual([unix, memory]);
    expect(choose(" ,")).toEqual([unix, memory]);
  });

  it("are those that the environment names, in its order", () => {
    expect(choose("memory")).toEqual([memory]);
    expect(choose("memory, unix")).toEqual([memory, unix]);
  });

  it("cannot be others, and the error names those that there are", () => {
    expect(() => choose("tcp", { shm: "it is not built" })).toThrow(
      'PROTOIPC_TRANSPORTS names "tcp"; there are: unix, memory, shm',
    );
    expect(() => choose("shm", { shm: "it is not built" })).toThrow(
      "PROTOIPC_TRANSPORTS names shm: it is not built",
    );
  });
});
