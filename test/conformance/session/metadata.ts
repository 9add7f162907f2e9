import { describe, expect, it } from "vitest";
import { IpcError, Metadata } from "../../../index.js";
import { collect, failureIn, failureOf } from "../../harness/failure.js";
import { gate } from "../../harness/gate.js";
import { until } from "../../harness/until.js";
import type { World } from "../../harness/world.js";

/** Metadata before, with and after the messages. */
export function metadataTests(world: World): void {
  describe("metadata", () => {
    it("goes with the request: text, bytes and repeated keys in their order", async () => {
      const received = gate<Metadata>();
      const { echo } = await world.pair({
        handlers: {
          async say(_, call) {
            // Asked for late, when other records have used the link's memory.
            await new Promise((resolve) => setTimeout(resolve, 20));
            received.open(call.metadata);
            return {};
          },
        },
      });
      const token = Uint8Array.from([0, 255, 10, 128]);
      const call = echo.say(
        {},
        {
          metadata: [
            ["Tag", "one"],
            ["tag", "two"],
            ["token-bin", token],
            ["empty", ""],
          ],
        },
      );
      for (let i = 0; i < 50; i++) void echo.note({ text: "x".repeat(500) });
      await call;
      const metadata = await received.promise;
      expect(metadata.getAll("tag")).toEqual(["one", "two"]);
      expect(metadata.get("TOKEN-BIN")).toEqual(token);
      expect(metadata.get("empty")).toBe("");
      expect(metadata.size).toBe(4);
    });

    it("goes with one-way calls and streams, given as a record or as Metadata", async () => {
      const seen: unknown[] = [];
      const { echo } = await world.pair({
        handlers: {
          note: (_, call) => void seen.push(call.metadata.get("a")),
          count(_, call) {
            seen.push(call.metadata.get("a"));
            return [];
          },
        },
      });
      await echo.note({}, { metadata: { a: "note" } });
      await until("the note was handled", () => seen.length === 1);
      await collect(echo.count({}, { metadata: new Metadata({ a: "count" }) }));
      expect(seen).toEqual(["note", "count"]);
    });

    it("comes before the first response, and after the last", async () => {
      const { echo } = await world.pair({
        handlers: {
          say(_, call) {
            call.header.set("h", "unary");
            call.trailer.set("t-bin", Uint8Array.of(1, 2));
            return { text: "answer" };
          },
          async *count(_, call) {
            call.header.append("h", "first");
            call.header.append("h", "second");
            yield { number: 1 };
            yield { number: 2 };
            call.trailer.set("t", "last");
          },
        },
      });
      const events: unknown[] = [];
      const options = {
        onHeader: (header: Metadata) => void events.push(["header", header.getAll("h")]),
        onTrailer: (trailer: Metadata) => void events.push(["trailer", ...trailer]),
      };
      events.push((await echo.say({}, options)).text);
      expect(events).toEqual([["header", ["unary"]], ["trailer", ["t-bin", Uint8Array.of(1, 2)]], "answer"]);
      events.length = 0;
      for await (const { number } of echo.count({}, options)) events.push(number);
      expect(events[0]).toEqual(["header", ["first", "second"]]);
      expect(events.filter((event) => typeof event === "number")).toEqual([1, 2]);
      expect(events).toContainEqual(["trailer", ["t", "last"]]);
    });

    it("comes at once when the handler sends it", async () => {
      const release = gate();
      const { echo } = await world.pair({
        handlers: {
          async say(_, call) {
            call.header.set("h", "early");
            call.sendHeader();
            call.sendHeader();
            await release.promise;
            return {};
          },
        },
      });
      const header = gate<Metadata>();
      let headers = 0;
      const call = echo.say(
        {},
        {
          onHeader(metadata) {
            headers++;
            header.open(metadata);
          },
        },
      );
      expect((await header.promise).get("h")).toBe("early");
      release.open();
      await call;
      expect(headers).toBe(1);
    });

    it("is not told of where there is none", async () => {
      const { echo } = await world.pair();
      const told: string[] = [];
      const options = {
        onHeader: () => void told.push("header"),
        onTrailer: () => void told.push("trailer"),
      };
      await echo.say({}, options);
      await collect(echo.count({ number: 2 }, options));
      expect(told).toEqual([]);
    });

    it("comes with a failure, in the trailer and on the error", async () => {
      const { echo } = await world.pair({
        handlers: {
          say(_, call) {
            call.header.set("h", "1");
            call.trailer.set("t", "of the call");
            throw new IpcError("ABORTED", "no");
          },
          async *count() {
            yield {};
            throw new IpcError("ABORTED", "no", { metadata: new Metadata({ t: "of the error" }) });
          },
        },
      });
      const trailers: Metadata[] = [];
      const onTrailer = (trailer: Metadata) => void trailers.push(trailer);
      const unary = await failureOf(echo.say({}, { onTrailer }));
      expect(unary.code).toBe("ABORTED");
      expect(unary.metadata?.get("t")).toBe("of the call");
      const stream = await failureOf(collect(echo.count({}, { onTrailer })));
      expect(stream.metadata?.get("t")).toBe("of the error");
      expect(trailers.map((trailer) => trailer.get("t"))).toEqual(["of the call", "of the error"]);
    });

    it("refuses what cannot travel, before anything is sent", async () => {
      const { echo, server } = await world.pair();
      expect((await failureOf(echo.say({}, { metadata: { "no spaces": "x" } }))).code).toBe(
        "INVALID_ARGUMENT",
      );
      expect((await failureOf(echo.say({}, { metadata: { text: "ü" } }))).code).toBe("INVALID_ARGUMENT");
      expect((await failureOf(echo.note({}, { metadata: { "x-bin": "text" } }))).code).toBe(
        "INVALID_ARGUMENT",
      );
      expect(server.counters.callsHandled).toBe(0);
      expect(failureIn(() => new Metadata({ a: Uint8Array.of(1) })).code).toBe("INVALID_ARGUMENT");
    });

    it("ends a call whose trailer is above the caller's limit", async () => {
      const { echo } = await world.pair({
        client: { limits: { maxMetadataBytes: 64 } },
        handlers: {
          say(_, call) {
            call.trailer.set("t", "x".repeat(100));
            return {};
          },
          async *count(_, call) {
            yield {};
            call.trailer.set("t", "x".repeat(100));
          },
          sum(_, call) {
            call.trailer.set("t", "x".repeat(100));
            throw new IpcError("ABORTED", "no");
          },
        },
      });
      const limit = "metadata of 133 bytes is above the receiver's limit of 64 bytes (maxMetadataBytes)";
      for (const call of [echo.say({}), collect(echo.count({}))]) {
        expect(await failureOf(call)).toMatchObject({ code: "RESOURCE_EXHAUSTED", rawMessage: limit });
      }
      expect(await failureOf(echo.sum([]))).toMatchObject({ code: "ABORTED", rawMessage: "no" });
    });

    it("ends a call whose callback fails, with what it threw", async () => {
      const { echo } = await world.pair({
        handlers: {
          say(_, call) {
            call.header.set("h", "1");
            return {};
          },
        },
      });
      const cause = new Error("the callback's own");
      const onHeader = () => {
        throw cause;
      };
      expect(await failureOf(echo.say({}, { onHeader }))).toMatchObject({ code: "CANCELLED", cause });
    });
  });
}
