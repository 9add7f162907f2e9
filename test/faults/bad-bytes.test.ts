import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { Echo, type EchoClient } from "../../gen/test/v1/echo_protoipc.js";
import { encodeFrame, type Frame, Flag, Kind } from "../../runtime/wire/index.js";
import { PREAMBLE } from "../../runtime/wire/preamble.js";
import { framesUntilEnd, introduction, record } from "./raw-peer.js";
import { type Child, openHere, rawSocket, start, until } from "./stage.js";

interface Report {
  readonly rejected: { code: string; message: string }[];
  readonly counters: { linksRejected: number };
  readonly peers: number;
}

const FRAME_TIMEOUT_MS = 1_200;
const limits = {
  frameTimeoutMs: FRAME_TIMEOUT_MS,
  handshakeTimeoutMs: 2_000,
  maxMessageBytes: 10_000,
  maxHeaderBytes: 2_000,
  maxCalls: 4,
};

const say = (streamId: number, text = "hello"): Buffer =>
  record(
    encodeFrame({
      kind: Kind.OPEN,
      streamId,
      flags: Flag.LAST,
      method: Echo.say.fullName,
      payload: Buffer.concat([Buffer.from([0x0a, text.length]), Buffer.from(text)]),
    }),
  );

/** One byte after the other, until the other side has had enough. */
async function dribble(socket: Duplex, bytes: Buffer): Promise<void> {
  let ended = false;
  socket.once("end", () => {
    ended = true;
  });
  for (let i = 0; i < bytes.length && !ended; i++) {
    socket.write(bytes.subarray(i, i + 1));
    await sleep(1_000);
  }
}

const TLS_CLIENT_HELLO = Buffer.from("1603010200010001fc0303", "hex");
const HTTP2_PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1");

interface Case {
  readonly what: string;
  readonly send: (socket: Duplex) => void | Promise<void>;
  /** What the one error says. */
  readonly says: RegExp;
  readonly code?: string;
  /** Calls that are answered before the link ends. */
  readonly answers?: number;
}

const cases: readonly Case[] = [
  {
    what: "garbage",
    send: (s) => void s.write(Buffer.alloc(5_000, 0xa7)),
    says: /first bytes are a7 .* not the preamble/,
  },
  { what: "an HTTP/2 preface", send: (s) => void s.write(HTTP2_PREFACE), says: /looks like HTTP\/2/ },
  {
    what: "an HTTP/1 request",
    send: (s) => void s.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    says: /looks like HTTP\/1/,
  },
  { what: "a TLS ClientHello", send: (s) => void s.write(TLS_CLIENT_HELLO), says: /looks like TLS/ },
  {
    what: "another major version",
    send: (s) => void s.write(Buffer.from([...PREAMBLE.subarray(0, 7), 9])),
    says: /major version 9/,
  },
  {
    what: "garbage after the preamble",
    send: (s) => void s.write(Buffer.concat([PREAMBLE, record(Buffer.alloc(40, 0xff))])),
    says: /protocol error/,
  },
  {
    what: "garbage after the Hello",
    send: (s) => void s.write(Buffer.concat([introduction(), record(Buffer.alloc(40, 0xff))])),
    says: /protocol error/,
  },
  {
    what: "a call before the Hello",
    send: (s) => void s.write(Buffer.concat([PREAMBLE, say(1)])),
    says: /the first frame has kind 3, not 1 \(HELLO\)/,
  },
  {
    what: "an over-long record",
    send: (s) => void s.write(Buffer.concat([introduction(), Buffer.from("80808001", "hex")])),
    says: /record of at least \d+ bytes is above the limit of 12000 bytes/,
  },
  {
    what: "an over-long length prefix",
    send: (s) => void s.write(Buffer.concat([introduction(), Buffer.from("8080808080", "hex")])),
    says: /length prefix has more than the limit of 5 bytes/,
  },
  {
    what: "more calls than the limit",
    send: (s) =>
      void s.write(Buffer.concat([introduction(), ...[1, 3, 5, 7, 9].map((id) => say(id, "hang"))])),
    says: /more than 4 calls in flight \(maxCalls\)/,
  },
  {
    what: "a frame that is cut off",
    send: (s) => void s.write(Buffer.concat([introduction(), say(1), say(3).subarray(0, 12)])),
    says: /a record was not whole within the limit of 1200 ms/,
    answers: 1,
  },
  {
    what: "a frame at one byte a second",
    send: async (s) => {
      s.write(introduction());
      await dribble(s, say(1));
    },
    says: /a record was not whole within the limit of 1200 ms/,
  },
  {
    what: "a preamble at one byte a second",
    send: (s) => dribble(s, introduction()),
    says: /the preamble was not whole within the limit of 1200 ms/,
  },
  {
    what: "a preamble and then nothing",
    send: (s) => void s.write(PREAMBLE),
    says: /the peer did not introduce itself within 2000 ms/,
    code: "DEADLINE_EXCEEDED",
  },
];

describe("a peer that sends", () => {
  let server: Child;
  let client: EchoClient;

  beforeEach(async () => {
    server = await start("fault-server", [{ name: "server", limits }]);
    client = (await openHere()).client(Echo, "server");
    await client.say({ text: "before" });
  });

  const report = (): Promise<Report> => server.ask<Report>({ do: "report" });

  it.each(cases)(
    "$what gets one clear error, and harms nobody else",
    async ({ send, says, code, answers }) => {
      const socket = await rawSocket("server");
      const received = framesUntilEnd(socket);
      await Promise.all([send(socket), client.say({ text: "meanwhile" })]);
      const { rejected } = await until(report, ({ counters }) => counters.linksRejected > 0, 15_000);
      expect(rejected).toEqual([{ code: code ?? "INTERNAL", message: expect.stringMatching(says) }]);

      const frames = await received;
      const closes = frames?.filter(({ kind }) => kind === Kind.CLOSE) ?? [];
      expect(closes.map(({ status }) => status?.message)).toEqual([expect.stringMatching(says)]);
      expect(frames?.at(-1)?.kind).toBe(Kind.CLOSE);
      const ends = frames?.filter(({ kind }: Frame) => kind === Kind.END) ?? [];
      expect(ends.length).toBe(answers ?? 0);

      socket.destroy();
      expect(await client.say({ text: "after" }, { timeoutMs: 10_000 })).toMatchObject({ text: "after" });
      await sleep(100);
      expect(await report()).toMatchObject({ counters: { linksRejected: 1 }, peers: 1 });
    },
  );

  it("half a frame and dies has not broken the protocol: it is a peer that is gone", async () => {
    const socket = await rawSocket("server");
    socket.write(Buffer.concat([introduction(), say(1, "hang"), say(3).subarray(0, 12)]));
    await until(report, ({ peers }) => peers === 2, 10_000);
    socket.destroy();
    const seen = await until(report, ({ peers }) => peers === 1, 10_000);
    expect(seen).toMatchObject({ rejected: [], disconnected: 1, tally: { running: 0 } });
    expect(await client.say({ text: "after" })).toMatchObject({ text: "after" });
  });
});
