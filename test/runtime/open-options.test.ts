import { describe, expect, it } from "vitest";
import { DEFAULT_LIMITS, type Limits } from "../../runtime/limits.js";
import { checkOpenOptions, limitsOf } from "../../runtime/open-options.js";

describe("checkOpenOptions", () => {
  it("takes every option that there is", () => {
    checkOpenOptions({});
    checkOpenOptions({
      name: "a",
      listen: [],
      limits: {},
      clientInterceptors: [],
      serverInterceptors: [],
      drainTimeoutMs: 0,
      domain: "d",
      waiting: "event",
    });
    checkOpenOptions({ drainTimeoutMs: Number.POSITIVE_INFINITY });
  });

  it("names an option that there is not, and those that there are", () => {
    const misspelt: object = { nmae: "market" };
    expect(() => checkOpenOptions(misspelt)).toThrow(
      new TypeError(
        'open has no option "nmae"; it has: name, listen, limits, clientInterceptors, serverInterceptors, ' +
          "drainTimeoutMs, domain, discoverable, inspect, parent, waiting",
      ),
    );
    const waiting: object = { waiting: "often" };
    expect(() => checkOpenOptions(waiting)).toThrow(
      new TypeError('waiting is "often"; it must be one of: adaptive, event, spin'),
    );
    for (const drainTimeoutMs of [-1, Number.NaN]) {
      expect(() => checkOpenOptions({ drainTimeoutMs })).toThrow(`drainTimeoutMs is ${drainTimeoutMs}`);
    }
  });
});

describe("limitsOf", () => {
  it("gives the defaults where nothing is said", () => {
    expect(limitsOf(undefined)).toEqual(DEFAULT_LIMITS);
    expect(limitsOf({ maxCalls: 5 })).toEqual({ ...DEFAULT_LIMITS, maxCalls: 5 });
  });

  it("names each limit whose value cannot be, with its range", () => {
    for (const name of Object.keys(DEFAULT_LIMITS) as (keyof Limits)[]) {
      for (const value of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        const pattern = new RegExp(
          `^limits\\.${name} is ${value}; it must be a whole number from \\d+ to \\d+$`,
        );
        expect(() => limitsOf({ [name]: value })).toThrow(pattern);
      }
      expect(limitsOf({ [name]: DEFAULT_LIMITS[name] })).toEqual(DEFAULT_LIMITS);
    }
    expect(() => limitsOf({ maxMessageBytes: 1_023 })).toThrow("from 1024 to 1073741824");
    expect(() => limitsOf({ maxMessageBytes: 1_073_741_825 })).toThrow(TypeError);
  });

  it("names a limit that there is not", () => {
    for (const name of ["maxCall", "toString"]) {
      const wrong: object = { [name]: 5 };
      expect(() => limitsOf(wrong)).toThrow(`there is no limit "${name}"; there are: maxMessageBytes, `);
    }
  });
});
