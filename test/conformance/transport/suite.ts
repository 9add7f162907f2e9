import { afterEach, describe, expect, it } from "vitest";
import {
  type Link,
  type LinkLimits,
  type Listener,
  type Place,
  type Transport,
  TransportError,
} from "../../../transports/transport.js";
import { ownDescriptors } from "../../harness/own-descriptors.js";
import { batchTests } from "./batches.js";
import { blockTests } from "./blocks.js";
import { numbered, put, type Recorder, recorder, send, until } from "./recorder.js";

/** What the suite needs of a transport. */
export interface Subject {
  readonly transport: Transport;
  /** A place that nobody listens on, another one each time. */
  newPlace(): Promise<Place>;
  /** The largest record that its links carry without a block. Any size unless said. */
  readonly maxRecordBytes?: number | undefined;
}

export const LIMITS: LinkLimits = {
  maxRecordBytes: 8_388_608,
  frameTimeoutMs: 5_000,
  sendBufferBytes: 262_144,
};

interface Side {
  readonly link: Link;
  readonly got: Recorder;
}

interface Pair {
  /** As the subject's. */
  readonly maxRecordBytes: number;
  readonly place: Place;
  readonly listener: Listener;
  readonly dialled: Side;
  readonly accepted: Side;
}

/** What a transport can do that others cannot. */
export interface Abilities {
  /** Its links send blocks. */
  readonly hasBlocks?: boolean | undefined;
}

/** What every transport must do. Run by a test file of each. */
export function transportSuite(
  title: string,
  makeSubject: () => Promise<Subject>,
  options: Abilities = {},
): void {
  const opened: Listener[] = [];
  const links: Link[] = [];

  afterEach(async () => {
    for (const link of links.splice(0)) link.close();
    for (const listener of opened.splice(0)) await listener.close();
  });

  async function listen(subject: Subject, place: Place, limits: LinkLimits, onLink: (link: Link) => void) {
    const listener = await subject.transport.listen(place, limits, (link) => {
      links.push(link);
      onLink(link);
    });
    opened.push(listener);
    return listener;
  }

  async function dial(subject: Subject, place: Place, limits: LinkLimits = LIMITS): Promise<Link> {
    const link = await subject.transport.dial(place, limits, undefined);
    links.push(link);
    return link;
  }

  function startedSide(link: Link): Side {
    const got = recorder();
    link.start(got);
    return { link, got };
  }

  async function connect(limits: Partial<LinkLimits> = {}): Promise<Pair> {
    const subject = await makeSubject();
    const place = await subject.newPlace();
    const both = { ...LIMITS, ...limits };
    let accepted: Side | undefined;
    const listener = await listen(subject, place, both, (link) => {
      accepted = startedSide(link);
    });
    const dialled = startedSide(await dial(subject, place, both));
    await until("a link is accepted", () => accepted !== undefined);
    const { maxRecordBytes = Number.POSITIVE_INFINITY } = subject;
    return { maxRecordBytes, place, listener, dialled, accepted: accepted! };
  }

  describe(`${title}: records`, () => {
    batchTests(connect);

    it("arrive whole and in order, both ways at once", async () => {
      const { dialled, accepted, maxRecordBytes } = await connect();
      const lengths = [0, 1, 5, 64, 127, 128, 1_000, 16_383, 16_384, 65_536, 70_000, 200_000].map((length) =>
        Math.min(length, maxRecordBytes),
      );
      for (let i = 0; i < 60; i++) {
        const record = numbered(i, lengths[i % lengths.length]!);
        for (const { link, got } of [dialled, accepted]) {
          while (!put(link, record)) {
            link.flush();
            const seen = got.events.length;
            await until("the link is writable again", () => got.events.slice(seen).includes("writable"));
          }
          if (i % 7 === 0) link.flush();
        }
      }
      dialled.link.flush();
      accepted.link.flush();
      for (const { got } of [dialled, accepted]) {
        await until("60 records", () => got.records.length === 60);
        for (const [i, record] of got.records.entries()) {
          expect(Buffer.compare(record, numbered(i, lengths[i % lengths.length]!))).toBe(0);
        }
      }
    });

    it("may be committed and flushed before the link is started", async () => {
      const subject = await makeSubject();
      const place = await subject.newPlace();
      let accepted: Side | undefined;
      await listen(subject, place, LIMITS, (link) => {
        accepted = startedSide(link);
      });
      const link = await dial(subject, place);
      const records = [10, 70_000, 0, 100].map((length, i) =>
        numbered(i, Math.min(length, subject.maxRecordBytes ?? length)),
      );
      for (const record of records.slice(0, 3)) expect(put(link, record)).toBe(true);
      link.flush();
      link.start(recorder());
      send(link, records[3]!);
      await until("all of them", () => accepted?.got.records.length === 4);
      expect(accepted?.got.records).toEqual(records);
    });

    it("may be shorter than what was reserved, and reserved without being sent", async () => {
      const { dialled, accepted, maxRecordBytes } = await connect();
      dialled.link.reserve(10);
      put(dialled.link, Uint8Array.of(1, 2, 3), Math.min(100_000, maxRecordBytes));
      dialled.link.reserve(1_000);
      put(dialled.link, Uint8Array.of(4), 200);
      dialled.link.flush();
      await until("two records", () => accepted.got.records.length === 2);
      expect(accepted.got.records).toEqual([Uint8Array.of(1, 2, 3), Uint8Array.of(4)]);
    });

    it("may be as large as the limit, and one byte more ends the link with a reason", async () => {
      const subject = await makeSubject();
      const most = Math.min(3_000_000, (subject.maxRecordBytes ?? Number.POSITIVE_INFINITY) - 1);
      const { dialled, accepted } = await connect({ maxRecordBytes: most });
      const large = new Uint8Array(most).fill(9);
      send(dialled.link, large);
      await until("the large record", () => accepted.got.records.length === 1);
      expect(Buffer.compare(accepted.got.records[0]!, large)).toBe(0);
      await until("room", () => put(dialled.link, new Uint8Array(most + 1)));
      dialled.link.flush();
      await until("the end", () => accepted.got.end !== undefined && dialled.got.end !== undefined);
      expect(accepted.got.end?.kind).toBe("protocol");
      expect(accepted.got.end).toMatchObject({ message: expect.stringContaining(`limit of ${most} bytes`) });
      expect(dialled.got.end).toEqual({ kind: "peer" });
      expect(accepted.got.records.length).toBe(1);
    });

    it("are never delivered within a call of the link, and timers run while they are", async () => {
      const { dialled, accepted } = await connect();
      let inCall = false;
      let timers = 0;
      let bounces = 0;
      const timer = setInterval(() => timers++, 1);
      const bounce = (link: Link): ((record: Uint8Array) => void) => {
        return (record) => {
          expect(inCall).toBe(false);
          bounces++;
          inCall = true;
          send(link, record);
          inCall = false;
        };
      };
      dialled.got.onEach = bounce(dialled.link);
      accepted.got.onEach = bounce(accepted.link);
      send(dialled.link, Uint8Array.of(1));
      await until("records and timers both go on", () => bounces > 50 && timers > 5);
      clearInterval(timer);
      dialled.got.onEach = () => {};
      accepted.got.onEach = () => {};
    });
  });

  if (options.hasBlocks === true) describe(`${title}: blocks`, () => blockTests(connect));

  describe(`${title}: a full link`, () => {
    it("refuses, holds no more than its limit, and says when it takes more", async () => {
      const subject = await makeSubject();
      const place = await subject.newPlace();
      const limits = { ...LIMITS, sendBufferBytes: 50_000 };
      let unstarted: Link | undefined;
      await listen(subject, place, limits, (link) => {
        unstarted = link;
      });
      const { link, got } = startedSide(await dial(subject, place, limits));
      await until("a link is accepted", () => unstarted !== undefined);
      let sent = 0;
      // The system's own buffers come on top, so it is full only when it stays so.
      for (let quiet = 0; quiet < 20; quiet++) {
        while (put(link, numbered(sent, 1_000))) {
          sent++;
          quiet = 0;
        }
        link.flush();
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      expect(sent).toBeGreaterThanOrEqual(50);
      expect(sent).toBeLessThan(3_000);
      const refusedAt = got.events.length;
      expect(got.events.filter((event) => event === "close")).toEqual([]);

      const reader = startedSide(unstarted!);
      await until("the link is writable", () => got.events.slice(refusedAt).includes("writable"));
      expect(put(link, numbered(sent++, 1_000))).toBe(true);
      link.flush();
      await until("all records", () => reader.got.records.length === sent);
      expect(reader.got.records.every((record, i) => Buffer.compare(record, numbered(i, 1_000)) === 0)).toBe(
        true,
      );
    });

    it("takes one record of any size when nothing waits", async () => {
      const { dialled, accepted, maxRecordBytes } = await connect({ sendBufferBytes: 10 });
      for (let i = 1; i <= 5; i++) {
        await until("room", () => put(dialled.link, numbered(i, Math.min(100_000, maxRecordBytes))));
        dialled.link.flush();
      }
      await until("five records", () => accepted.got.records.length === 5);
    });

    it("takes records from within onRecord and onWritable", async () => {
      const { dialled, accepted } = await connect({ sendBufferBytes: 20_000 });
      const total = 500;
      let answered = 0;
      const answer = (): void => {
        while (answered < accepted.got.records.length && put(accepted.link, numbered(answered, 500)))
          answered++;
        accepted.link.flush();
      };
      accepted.got.onEach = answer;
      const keep = accepted.got.onWritable;
      accepted.got.onWritable = () => {
        keep();
        answer();
      };
      for (let i = 0; i < total; i++) {
        await until("room", () => put(dialled.link, numbered(i, 10)));
        dialled.link.flush();
      }
      await until("every answer", () => dialled.got.records.length === total);
      expect(dialled.got.records.every((record, i) => Buffer.compare(record, numbered(i, 500)) === 0)).toBe(
        true,
      );
    });
  });

  describe(`${title}: the end`, () => {
    for (const closer of ["dialled", "accepted"] as const) {
      it(`comes once on both sides when the side that ${closer} closes, after all that it sent`, async () => {
        const pair = await connect();
        const here = pair[closer];
        const there = pair[closer === "dialled" ? "accepted" : "dialled"];
        for (let i = 0; i < 100; i++) put(here.link, numbered(i, 1_000));
        here.link.close();
        expect(here.got.end).toBeUndefined();
        here.link.close();
        await until("both ends", () => here.got.end !== undefined && there.got.end !== undefined);
        expect(here.got.end).toEqual({ kind: "local" });
        expect(there.got.end).toEqual({ kind: "peer" });
        expect(there.got.records.length).toBe(100);
        expect(there.got.events.indexOf("close")).toBe(there.got.events.length - 1);
        here.link.close();
        there.link.close();
        await new Promise((resolve) => setTimeout(resolve, 30));
        for (const { got } of [here, there]) {
          expect(got.events.filter((event) => event === "close").length).toBe(1);
        }
      });
    }

    it("takes and delivers nothing afterwards", async () => {
      const { dialled, accepted } = await connect();
      const slot = dialled.link.reserve(10);
      dialled.link.close();
      if (slot !== undefined) dialled.link.commit(slot, 10);
      dialled.link.flush();
      expect(dialled.link.reserve(1)).toBeUndefined();
      put(accepted.link, Uint8Array.of(1));
      accepted.link.flush();
      await until("both ends", () => dialled.got.end !== undefined && accepted.got.end !== undefined);
      expect(accepted.got.records).toEqual([]);
      expect(dialled.got.records).toEqual([]);
    });

    it("stops delivery at once when the receiver closes from within a record", async () => {
      const { dialled, accepted } = await connect();
      accepted.got.onEach = (_record, count) => {
        if (count === 3) accepted.link.close();
      };
      for (let i = 0; i < 50; i++) put(dialled.link, numbered(i, 100));
      dialled.link.flush();
      await until("both ends", () => dialled.got.end !== undefined && accepted.got.end !== undefined);
      expect(accepted.got.records.length).toBe(3);
      expect(accepted.got.end).toEqual({ kind: "local" });
    });

    it("comes after the data, also for a side that was writing when the other went", async () => {
      const { dialled, accepted } = await connect();
      for (let i = 0; i < 100; i++) put(dialled.link, numbered(i, 1_000));
      dialled.link.close();
      // Into a link whose other side is closing: this must not cost what that side has sent.
      for (let i = 0; i < 20; i++) {
        put(accepted.link, numbered(i, 1_000));
        accepted.link.flush();
        await new Promise((resolve) => setImmediate(resolve));
      }
      await until("the end", () => accepted.got.end !== undefined);
      expect(accepted.got.records.length).toBe(100);
      expect(accepted.got.end).toEqual({ kind: "peer" });
    });

    it("is not held up by a peer that never reads", async () => {
      const subject = await makeSubject();
      const place = await subject.newPlace();
      let unstarted: Link | undefined;
      await listen(subject, place, LIMITS, (link) => {
        unstarted = link;
      });
      const { link, got } = startedSide(await dial(subject, place));
      await until("a link is accepted", () => unstarted !== undefined);
      send(link, new Uint8Array(Math.min(4_000_000, subject.maxRecordBytes ?? Number.POSITIVE_INFINITY)));
      link.close();
      await until("the end", () => got.end !== undefined);
      expect(got.end).toEqual({ kind: "local" });
    });
  });

  describe(`${title}: places`, () => {
    it("that nobody listens on are not found", async () => {
      const { transport, newPlace } = await makeSubject();
      const error: unknown = await transport
        .dial(await newPlace(), LIMITS, undefined)
        .catch((reason) => reason);
      expect(error).toBeInstanceOf(TransportError);
      expect(error).toMatchObject({ kind: "notFound" });
    });

    it("are taken by one listener at a time, and free when it closes; its links live on", async () => {
      const subject = await makeSubject();
      const place = await subject.newPlace();
      let accepted: Side | undefined;
      // Whoever wants the place may knock to see whether somebody is there: that is a link, too.
      const first = await listen(subject, place, LIMITS, (link) => {
        const side = startedSide(link);
        accepted ??= side;
      });
      const dialled = startedSide(await dial(subject, place));
      await until("a link is accepted", () => accepted !== undefined);
      const second: unknown = await subject.transport
        .listen(place, LIMITS, () => {})
        .catch((reason) => reason);
      expect(second).toMatchObject({ name: "TransportError", kind: "inUse" });

      await first.close();
      await first.close();
      const third: unknown = await dial(subject, place).catch((reason) => reason);
      expect(third).toMatchObject({ name: "TransportError", kind: "notFound" });
      send(dialled.link, Uint8Array.of(1));
      await until("a record", () => accepted?.got.records.length === 1);

      let again = 0;
      const successor = await listen(subject, place, LIMITS, () => again++);
      await first.close();
      await dial(subject, place);
      await until("the successor accepts", () => again === 1);
      await successor.close();
    });

    it("are not dialled with a signal that has aborted", async () => {
      const subject = await makeSubject();
      const place = await subject.newPlace();
      let accepted = 0;
      await listen(subject, place, LIMITS, () => accepted++);
      const reason = new Error("no longer");
      const error: unknown = await subject.transport
        .dial(place, LIMITS, AbortSignal.abort(reason))
        .catch((thrown) => thrown);
      expect(error).toMatchObject({ name: "TransportError", kind: "unavailable", cause: reason });
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(accepted).toBe(0);
    });

    it("are named by links and listeners, which say who is at the other end", async () => {
      const { listener, dialled, accepted } = await connect();
      expect(listener.location).not.toBe("");
      for (const { link } of [dialled, accepted]) {
        expect(link.info.location).toBe(listener.location);
        expect(link.peer.verifiedBy).not.toBe("nobody");
        expect(link.peer.uid).toBe(process.geteuid?.());
        expect(link.info.fragmentBytes).toBeGreaterThanOrEqual(16_384);
      }
    });

    it("serve a thousand links one after the other, and leave nothing open", async () => {
      const subject = await makeSubject();
      const place = await subject.newPlace();
      const ends: Side[] = [];
      await listen(subject, place, LIMITS, (link) => ends.push(startedSide(link)));
      const cycle = async (): Promise<void> => {
        const { link, got } = startedSide(await dial(subject, place));
        send(link, Uint8Array.of(1));
        link.close();
        await until("the end", () => got.end !== undefined);
      };
      for (let i = 0; i < 20; i++) await cycle();
      const before = ownDescriptors();
      for (let i = 0; i < 50; i++) await Promise.all(Array.from({ length: 20 }, cycle));
      await until(
        "every accepted link ends",
        () => ends.length === 1_020 && ends.every(({ got }) => got.end),
      );
      expect(ends.every(({ got }) => got.records.length === 1)).toBe(true);
      await until("no more open files than before", () => ownDescriptors() <= before);
    });
  });
}
