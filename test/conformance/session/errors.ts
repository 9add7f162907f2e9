import { describe, expect, it } from "vitest";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import { ProblemSchema } from "../../../gen/test/v1/keys_pb.js";
import { type CallContext, CODES, errorDetail, IpcError, protobufEs } from "../../../index.js";
import { collect, failureOf } from "../../harness/failure.js";
import { until } from "../../harness/until.js";
import type { World } from "../../harness/world.js";

/** How calls fail. */
export function errorTests(world: World): void {
  describe("errors", () => {
    it("carries each of the 16 codes with its message", async () => {
      const { echo } = await world.pair({
        handlers: {
          say({ number }) {
            throw new IpcError(CODES[number]!, `unary ${number}`);
          },
          async *count({ number }) {
            yield {};
            throw new IpcError(CODES[number]!, `stream ${number}`);
          },
        },
      });
      expect(CODES).toHaveLength(16);
      for (const [number, code] of CODES.entries()) {
        const unary = await failureOf(echo.say({ number }));
        expect(unary).toMatchObject({ code, rawMessage: `unary ${number}`, maybeExecuted: true });
        expect(unary.message).toBe(`${code}: unary ${number}`);
        expect(await failureOf(collect(echo.count({ number })))).toMatchObject({
          code,
          rawMessage: `stream ${number}`,
        });
      }
    });

    it("carries typed details", async () => {
      const codec = protobufEs(ProblemSchema);
      const { echo } = await world.pair({
        handlers: {
          say() {
            const details = [
              errorDetail(codec, { field: "name", position: 3 }),
              { typeName: "test.v1.Unknown", value: Uint8Array.of(8, 1) },
              errorDetail(codec, { field: "shard" }),
            ];
            throw new IpcError("INVALID_ARGUMENT", "two problems", { details });
          },
        },
      });
      const failure = await failureOf(echo.say({}));
      // Looked at late, when other records have used the link's memory.
      for (let i = 0; i < 20; i++) await failureOf(echo.say({ text: "y".repeat(200) }));
      expect(failure.details.map(({ typeName }) => typeName)).toEqual([
        "test.v1.Problem",
        "test.v1.Unknown",
        "test.v1.Problem",
      ]);
      expect(failure.findDetails(codec)).toMatchObject([{ field: "name", position: 3 }, { field: "shard" }]);
    });

    it("tells the caller nothing of what else a handler throws, and the server everything", async () => {
      const secret = new Error("cannot open /etc/secret");
      const { echo, server } = await world.pair({
        handlers: {
          say() {
            throw secret;
          },
          async sum() {
            throw secret;
          },
          async *count() {
            yield {};
            throw secret;
          },
        },
      });
      const failed: [IpcError, CallContext][] = [];
      server.on("handlerFailed", (error, call) => failed.push([error, call]));
      for (const call of [echo.say({}), echo.sum([]), collect(echo.count({}))]) {
        const failure = await failureOf(call);
        expect(failure).toMatchObject({ code: "UNKNOWN", maybeExecuted: true, details: [] });
        expect(failure.message).not.toMatch(/secret|etc/);
      }
      expect(failed.map(([, call]) => call.method.localName).sort()).toEqual(["count", "say", "sum"]);
      for (const [error] of failed) expect(error.cause).toBe(secret);
      expect(server.counters.handlersFailed).toBe(3);
    });

    it("counts an IpcError for an answer, not for a failure of the handler", async () => {
      const { echo, server } = await world.pair({
        handlers: {
          say() {
            throw new IpcError("NOT_FOUND", "no such thing");
          },
        },
      });
      let failed = 0;
      server.on("handlerFailed", () => failed++);
      await failureOf(echo.say({}));
      expect(failed).toBe(0);
      expect(server.counters).toMatchObject({ callsHandled: 1, handlersFailed: 0 });
    });

    it("reports every one-way call that was not carried out", async () => {
      const { echo, server } = await world.pair({
        handlers: {
          note({ text }) {
            if (text === "known") throw new IpcError("ABORTED", "no");
            throw new Error("no");
          },
        },
      });
      const failed: IpcError[] = [];
      server.on("handlerFailed", (error) => failed.push(error));
      await echo.note({ text: "known" });
      await echo.note({ text: "unknown" });
      await until("both failures are counted", () => server.counters.oneWayFailed === 2);
      expect(failed.map(({ code }) => code)).toEqual(["ABORTED", "UNKNOWN"]);
      expect(server.counters.handlersFailed).toBe(1);
    });

    it("counts one-way calls that nobody serves", async () => {
      const { endpoint } = await world.listen();
      const client = await world.open();
      await client.client(Echo, endpoint.addresses[0]!).note({});
      await until("the call is counted", () => endpoint.counters.oneWayFailed === 1);
    });

    it("reports a response that cannot be encoded", async () => {
      const wrong: object = { number: "five" };
      const { echo, server } = await world.pair({ handlers: { say: () => wrong, count: () => [wrong] } });
      let failed = 0;
      server.on("handlerFailed", () => failed++);
      for (const call of [echo.say({}), collect(echo.count({}))]) {
        const failure = await failureOf(call);
        expect(failure.code).toBe("INTERNAL");
        expect(failure.message).toMatch(/test\.v1\.(SayReply|CountReply)/);
      }
      expect(failed).toBe(2);
    });

    it("refuses a request that cannot be encoded, having sent nothing", async () => {
      const { echo, server } = await world.pair();
      const wrong: object = { number: "five" };
      for (const call of [echo.say(wrong), collect(echo.count(wrong)), echo.note(wrong), echo.sum([wrong])]) {
        const failure = await failureOf(call);
        expect(failure.code).toBe("INVALID_ARGUMENT");
        expect(failure.message).toContain("could not be encoded as test.v1.");
      }
      expect(server.counters.callsHandled).toBeLessThanOrEqual(1);
    });

    it("fails one call alone with a message or details too long for a frame's header", async () => {
      const { echo } = await world.pair({
        handlers: {
          say({ text }) {
            if (text === "fine") return {};
            const details = [{ typeName: "test.v1.Big", value: new Uint8Array(100_000) }];
            if (text === "details") throw new IpcError("ABORTED", "many details", { details });
            throw new IpcError("ABORTED", "ü".repeat(50_000));
          },
        },
      });
      const other = echo.say({ text: "fine" });
      const long = await failureOf(echo.say({ text: "message" }));
      expect(long.code).toBe("ABORTED");
      expect(long.rawMessage).toMatch(/^ü{1000}/);
      expect(await failureOf(echo.say({ text: "details" }))).toMatchObject({
        code: "ABORTED",
        rawMessage: "many details",
      });
      await other;
      await echo.say({ text: "fine" });
    });

    it("fails a call whose handler does not answer with what the method needs", async () => {
      const nothing: object = {};
      const { echo } = await world.pair({
        handlers: { count: () => nothing as Iterable<object> },
      });
      expect((await failureOf(collect(echo.count({})))).code).toBe("UNKNOWN");
    });
  });
}
