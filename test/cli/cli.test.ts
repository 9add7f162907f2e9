import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nearest } from "../../cli/nearest.js";
import { Simple } from "../../gen/protoipc/v1/simple_protoipc.js";
import { open } from "../../index.js";
import { hasProgram } from "../harness/programs.js";
import { endStage, hostwatch, json, run, shell, startStage } from "./stage.js";

beforeAll(startStage);
afterAll(endStage);

describe("protoipc ls and describe", () => {
  it("show who is there, over what, and what it has", async () => {
    const { out } = await run(["ls"]);
    expect(out).toMatch(/hostwatch +\d+ +alive +(shm, )?unix/);
    expect(out).toContain("hostwatch.v1.Hostwatch/Cores (0 subscribed)");
    interface Listed {
      readonly domain: string;
      readonly endpoints: {
        readonly name: string;
        readonly pid: number;
        readonly state: string;
        readonly services: object[];
      }[];
    }
    const { domain, endpoints } = await json<Listed>(["ls"]);
    expect(domain).toBe("default");
    expect(endpoints).toMatchObject([{ name: "hostwatch", pid: hostwatch.pid, state: "alive" }]);
    expect((await run(["ls", "--domain", "other"])).out).toContain("nobody is there: domain other");
  });

  it.skipIf(!hasProgram("script"))("show it in colours at a terminal", async () => {
    const { out } = await shell("bash", 'NO_COLOR= script -qec "protoipc ls" /dev/null');
    expect(out).toContain("\u001b[32malive\u001b[39m");
  });

  it("render methods, topics and messages as in a .proto", async () => {
    const { out } = await run(["describe"]);
    expect(out).toContain("service hostwatch.v1.Hostwatch  // at hostwatch");
    expect(out).toContain(
      "rpc Cores(hostwatch.v1.CoreKey) returns (stream hostwatch.v1.CoreSample);  // topic: depth",
    );
    expect(out).toContain("rpc Label(stream hostwatch.v1.LabelRequest) returns (hostwatch.v1.LabelSummary);");
    const one = await run(["describe", "hostwatch/list"]);
    expect(one.out).toContain("message hostwatch.v1.ListRequest {\n  hostwatch.v1.ProcessFilter filter = 1;");
    expect(one.out).not.toContain("Cores");
    const wrong = await run(["describe", "hostwach"]);
    expect(wrong).toMatchObject({ code: 1 });
    expect(wrong.error).toContain("did you mean: hostwatch");
    const { endpoints } = await json<{ endpoints: { descriptors: { file: { name: string }[] } }[] }>([
      "describe",
    ]);
    expect(endpoints[0]!.descriptors.file.map(({ name }) => name)).toContain("hostwatch/v1/hostwatch.proto");
  });
});

describe("protoipc call", () => {
  it("makes calls of every kind, without a schema file", async () => {
    const reply = await json<{ processes: object[]; total: number }>([
      "call",
      "Hostwatch/List",
      '{"limit": 1}',
    ]);
    expect(reply.processes).toHaveLength(1);
    expect(reply.total).toBeGreaterThan(1);
    const label = (pid: number | undefined, text: string): string => JSON.stringify({ pid, text });
    const labels = [label(hostwatch.pid, "the daemon"), label(process.pid, "the test")];
    const summary = await json<object>(["call", "Label", ...labels]);
    // The same from the input, a line each.
    expect(await json<object>(["call", "Label"], { input: `${labels.join("\n")}\n` })).toEqual(summary);
    const query = await run(["call", "Hostwatch/Query", '{"filter": {"label": "the daemon"}}', "--json"]);
    expect(query).toMatchObject({ code: 0, error: "" });
    expect(
      query.out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as object),
    ).not.toHaveLength(0);
    expect(await run(["call", "Log", '{"text": "from the command line"}'])).toMatchObject({
      code: 0,
      out: "",
    });
  });

  it("names a field that is wrong, and the right one", async () => {
    const { code, error } = await run(["call", "List", '{"limt": 2}']);
    expect(code).toBe(2);
    expect(error).toBe('the request: hostwatch.v1.ListRequest has no field "limt"\n  did you mean: limit\n');
    const nested = await run(["call", "List", '{"filter": {"nameContain": "x"}}']);
    expect(nested.error).toContain(
      'the request.filter: hostwatch.v1.ProcessFilter has no field "nameContain"\n  did you mean: nameContains',
    );
    const value = await run(["call", "List", '{"sortBy": "SORT_BY_CPUS"}']);
    expect(value.error).toContain(
      'SORT_BY_CPUS", which is no value of hostwatch.v1.SortBy\n  did you mean: SORT_BY_CPU',
    );
    expect((await run(["call", "List", "{limit: 2}"])).error).toContain("the request is no JSON");
    expect((await run(["call", "List", '{"limit": "many"}'])).error).toContain("hostwatch.v1.ListRequest");
    const asJson = JSON.parse((await run(["call", "List", '{"limt": 2}', "--json"])).out) as object;
    expect(asJson).toMatchObject({ error: { code: "INVALID_ARGUMENT", suggestions: ["limit"] } });
  });

  it("names what is not there, and what may be meant", async () => {
    const wrong = await run(["call", "Hostwatch/Lst"]);
    expect(wrong.code).toBe(1);
    expect(wrong.error).toContain("did you mean: hostwatch.v1.Hostwatch/List");
    expect((await run(["call", "Cores"])).error).toContain(
      "is a topic: protoipc sub hostwatch.v1.Hostwatch/Cores",
    );
    expect((await run(["sub", "List"])).error).toContain(
      "is a method: protoipc call hostwatch.v1.Hostwatch/List",
    );
    const nobody = await run(["call", "List", "--to", "nobody"]);
    expect(nobody).toMatchObject({ code: 1 });
    expect(nobody.error).toContain("UNAVAILABLE: no endpoint nobody");
    expect((await run(["cal"])).error).toContain("Did you mean call?");
    expect((await run(["ping"])).code).toBe(2);
  });

  it("tells what a call has failed with", async () => {
    const failed = await run(["call", "Hostwatch/Watch", '{"pid": 4194305}']);
    expect(failed.code).toBe(1);
    expect(failed.error).toContain("NOT_FOUND");
    const { out, code } = await run(["call", "Hostwatch/Watch", '{"pid": 4194305}', "--json"]);
    expect([code, (JSON.parse(out) as { error: { code: string } }).error.code]).toEqual([1, "NOT_FOUND"]);
  });
});

describe("protoipc sub and pub", () => {
  it("print what is published, and publish what is printed", async () => {
    const { code, out } = await run(["sub", "Cores", '{"core": 0}', "--count", "3", "--json"]);
    expect(code).toBe(0);
    const came = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { key: object; seq: number; publisher: object });
    expect(came).toHaveLength(3);
    expect(came[0]).toMatchObject({ key: { core: 0 }, publisher: { name: "hostwatch", pid: hostwatch.pid } });
    expect(came[2]!.seq).toBe(came[0]!.seq + 2);
    expect((await run(["sub", "Memory", "--count", "1"])).out).toMatch(
      /"totalBytes":"\d+".*\(number \d+ of hostwatch\)/,
    );
    expect((await run(["sub", "Cores", '{"cpu": 0}'])).error).toContain("did you mean: core");

    const subscriber = run(["sub", "Hostwatch/Load", "--count", "1", "--json", "--to", "hostwatch"]);
    expect((await subscriber).code).toBe(0);
    // With the daemon's schema, to a subscriber that has found both.
    const endpoint = await open();
    try {
      const strings = endpoint.subscribe(Simple.strings, {});
      const published = run(["pub", "Simple/Strings", '{"name": "status"}', '"ready"']);
      for await (const { key, message } of strings) {
        expect([key.name, message.value]).toEqual(["status", "ready"]);
        break;
      }
      expect(await published).toMatchObject({ code: 0, out: "published to 1 of 1 subscribers\n" });
    } finally {
      await endpoint.close();
    }
    const lonely = await run(["pub", "Strings", '{"name": "status"}', '"ready"', "--timeout", "50"]);
    expect(lonely.code).toBe(1);
    expect(lonely.error).toContain("Strings has 0 subscribers after 50 ms, of 1 that are waited for");
    expect((await run(["pub", "Simple/Bools", "true"])).error).toContain(
      "the key is no protoipc.v1.SimpleKey",
    );
    expect((await run(["pub", "Memory", "{}", "{}"])).error).toContain("takes a message, and no key");
  });

  it("carry publications from one command to another", async () => {
    const subscriber = run([
      "sub",
      "hostwatch.v1.Hostwatch/Disks",
      '{"device": "a-disk-of-the-test"}',
      "--count",
      "2",
      "--json",
    ]);
    const publisher = run([
      "pub",
      "Hostwatch/Disks",
      '{"device": "a-disk-of-the-test"}',
      '{"readBytes": "7"}',
      "--count",
      "2",
      "--timeout",
      "10000",
    ]);
    expect(await publisher).toMatchObject({ code: 0, error: "" });
    const came = (await subscriber).out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(came).toHaveLength(2);
    expect(came[0]).toMatchObject({ key: { device: "a-disk-of-the-test" }, seq: 1, publisher: { name: "" } });
  });
});

describe("protoipc ping", () => {
  it("time answers, and say over what", async () => {
    const told = await json<{ minUs: number; medianUs: number; maxUs: number }>([
      "ping",
      "unix:hostwatch",
      "-c",
      "3",
    ]);
    expect(told).toMatchObject({ pid: hostwatch.pid, transport: "unix", count: 3 });
    expect(told.minUs).toBeLessThanOrEqual(told.medianUs);
    expect((await run(["ping", "hostwatch"])).out).toMatch(
      /hostwatch, process \d+, typescript\/.*5 round trips/s,
    );
  });
});

describe("--transport", () => {
  it("is the one that is dialled, and the one that others dial", async () => {
    for (const transport of ["unix", "pipe"]) {
      expect(await json(["ping", "hostwatch", "--transport", transport])).toMatchObject({ transport });
      expect((await run(["call", "List", "--transport", transport])).code).toBe(0);
      expect((await run(["sub", "Load", "--count", "1", "--transport", transport])).code).toBe(0);
    }
    const endpoint = await open();
    try {
      const strings = endpoint.subscribe(Simple.strings, {});
      const published = run(["pub", "Strings", '{"name": "status"}', '"ready"', "--transport", "pipe"]);
      for await (const { publisher } of strings) {
        expect(publisher.link.transport).toBe("pipe");
        break;
      }
      expect((await published).code).toBe(0);
    } finally {
      await endpoint.close();
    }
  });

  it("is one of those that there are", async () => {
    const wrong = await run(["ping", "hostwatch", "--transport", "tcp"]);
    expect(wrong.code).toBe(2);
    expect(wrong.error).toContain("Allowed choices are shm, unix, pipe.");
    const other = await run(["ping", "unix:hostwatch", "--transport", "pipe"]);
    expect(other.code).toBe(1);
    expect(other.error).toContain('there is no transport "unix"');
    const missing = await run(["ping", "hostwatch", "--transport", "shm"], {
      env: { PROTOIPC_ADDON: "/nowhere/protoipc.node" },
    });
    expect(missing.code).toBe(1);
    expect(missing.error).toContain("npx protoipc build");
    expect((await run(["complete", "--", "ping", "--transport", ""])).out).toBe("pipe\nshm\nunix\n");
  });
});

describe("what is meant", () => {
  it("is what is near, with or without its package", () => {
    const known = ["hostwatch.v1.Hostwatch/List", "hostwatch.v1.Hostwatch/Log", "market.v1.Market/Price"];
    expect(nearest("Hostwatch/Lst", known)[0]).toBe("hostwatch.v1.Hostwatch/List");
    expect(nearest("prise", known)).toEqual(["market.v1.Market/Price"]);
    expect(nearest("something else", known)).toEqual([]);
  });
});
