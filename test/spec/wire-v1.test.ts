import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { open, type Peer } from "protoipc";
import { expect, it, vi } from "vitest";
import { FrameSchema, Kind } from "../../gen/protoipc/v1/wire_pb.js";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { DEFAULT_LIMITS } from "../../runtime/limits.js";
import { decodeFrame } from "../../runtime/wire/frame.js";
import { PREAMBLE } from "../../runtime/wire/preamble.js";
import { RecordReader } from "../../runtime/wire/record-reader.js";
import { newFolder } from "../transports/folder.js";
import { record, renderSession, SESSION } from "./worked-session.js";

const DOCUMENT = readFileSync(new URL("../../docs/spec/wire-v1.md", import.meta.url), "utf8");

/** A peer that is nothing but bytes. */
class RawPeer {
  readonly #socket: Socket;
  readonly #frames: Uint8Array[] = [];
  readonly #reader = new RecordReader(65_536, (bytes, start, end) =>
    this.#frames.push(bytes.slice(start, end)),
  );
  #preambleBytes = 0;

  constructor(path: string) {
    this.#socket = connect(path);
    this.#socket.on("data", (chunk) => {
      const rest = Math.min(chunk.length, PREAMBLE.length - this.#preambleBytes);
      this.#preambleBytes += rest;
      this.#reader.push(new Uint8Array(chunk), rest, chunk.length);
    });
  }

  send(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  async next(): Promise<Uint8Array> {
    await vi.waitUntil(() => this.#frames.length > 0, { timeout: 5_000 });
    return this.#frames.shift()!;
  }

  end(): void {
    this.#socket.destroy();
  }
}

it("shows the bytes of a session", () => {
  expect(DOCUMENT).toContain(renderSession());
});

it("gives the defaults of limits", () => {
  for (const name of [
    "maxMessageBytes",
    "maxHeaderBytes",
    "maxMetadataBytes",
    "maxCalls",
    "callBytes",
    "initialMessages",
    "initialBytes",
    "oneWayMessages",
    "oneWayBytes",
    "maxKeys",
    "maxMethods",
  ] as const) {
    const field = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const row = DOCUMENT.split("\n").find((line) => line.startsWith(`| \`${field}\` `));
    expect(row, field).toContain(` ${DEFAULT_LIMITS[name].toLocaleString("en")} `);
  }
});

it("agrees with the frame code", () => {
  for (const { bytes } of SESSION) {
    const ours = decodeFrame(bytes);
    const standard = fromBinary(FrameSchema, bytes);
    expect(ours).toMatchObject({
      kind: standard.kind,
      streamId: Number(standard.streamId),
      flags: standard.flags,
      methodId: standard.methodId,
      method: standard.method,
      timeoutUs: Number(standard.timeoutUs),
      messages: standard.messages,
      bytes: Number(standard.bytes),
      keyId: standard.keyId,
      seq: Number(standard.seq),
      payload: standard.payload,
    });
  }
});

it("is played by a real endpoint, byte for byte", async () => {
  const path = join(await newFolder(), "echo.sock");
  const endpoint = await open({ listen: [`unix:${path}`] });
  const notes: string[] = [];
  const connected = new Promise<Peer>((resolve) => {
    endpoint.on("peerConnected", resolve);
  });
  endpoint.serve(Echo, {
    say: ({ text }) => ({ text: text.toUpperCase() }),
    async sum(requests) {
      let number = 0;
      let count = 0;
      for await (const request of requests) {
        number += request.number;
        count++;
      }
      return { number, count };
    },
    note: ({ text }) => void notes.push(text),
  });
  const keyed = await endpoint.publisher(Echo.keyed);
  const raw = new RawPeer(path);
  raw.send(PREAMBLE);

  let answer: Promise<unknown> | undefined;
  let closing: Promise<void> | undefined;
  for (const step of SESSION) {
    const frame = fromBinary(FrameSchema, step.bytes);
    if (step.from === "C") {
      raw.send(record(step));
      continue;
    }
    if (frame.kind === Kind.OPEN) {
      await vi.waitUntil(() => notes.length > 0);
      answer = endpoint.client(Echo, await connected).say({ text: "you?" });
    }
    if (frame.kind === Kind.DRAIN) {
      expect(await answer).toMatchObject({ text: "me" });
      closing = endpoint.close();
    }
    const received = await raw.next();
    if (frame.kind === Kind.HELLO) expect(fromBinary(FrameSchema, received).kind).toBe(Kind.HELLO);
    else expect(received, step.about).toEqual(step.bytes);
    if (frame.kind === Kind.HEADERS) {
      keyed.publish({ name: "a", shard: 9 }, { text: "one" });
      keyed.publish({ name: "b", shard: 9 }, { text: "not for C" });
      keyed.publish({ name: "a", shard: 9 }, { text: "two" });
    }
  }
  raw.end();
  await closing;
  expect(notes).toEqual(["bye"]);
});
