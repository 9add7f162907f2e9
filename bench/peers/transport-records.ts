/** Bare records over a transport's own seam: no session, no codec. */
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { DEFAULT_LIMITS } from "protoipc";
import type { Link, LinkLimits, LinkReceiver, Place, Transport } from "protoipc/transports";
import { latencyUs, RECORD_BYTES, RecordMemory, writeSentAt } from "../record.js";
import type { RecordClient, Setting, Sides, WakeUpClient } from "./peer.js";

const { maxMessageBytes, maxHeaderBytes, frameTimeoutMs, sendBufferBytes } = DEFAULT_LIMITS;

/** What an endpoint gives its transports. */
const LIMITS: LinkLimits = {
  maxRecordBytes: maxMessageBytes + maxHeaderBytes,
  frameTimeoutMs,
  sendBufferBytes,
};

const PERIOD_MS = 1;
/** How long a blocking receiver waits, and after how many records it looks at the rest of its process. */
const BLOCK_MS = 100;
const RECORDS_PER_TURN = 100_000;

type OnRecord = LinkReceiver["onRecord"];
type BlockingLink = Link & Required<Pick<Link, "receiveBlocking">>;

/** Each side answers from within its event loop, as records come. */
export function recordSides(transport: () => Transport): Sides<void, RecordClient> {
  return {
    async serve(setting) {
      await listen(transport(), setting, (link) => startEcho(link));
    },
    async connect(setting) {
      const link = await dial(transport(), setting);
      const { send, check } = exchanger(link);
      return {
        run: (next) =>
          new Promise((resolve, reject) => {
            start(link, reject, (bytes, begin, end) => {
              check(bytes, begin, end);
              if (next()) send();
              else resolve();
            });
            if (next()) send();
          }),
      };
    },
  };
}

/** Each side blocks its thread until a record comes. */
export function blockingRecordSides(transport: () => Transport): Sides<void, RecordClient> {
  return {
    async serve(setting) {
      await listen(transport(), setting, (link) => {
        const blocking = blockingLink(link);
        let isOpen = true;
        startEcho(blocking, false, () => {
          isOpen = false;
        });
        void (async () => {
          while (isOpen) {
            for (let left = RECORDS_PER_TURN; left > 0 && blocking.receiveBlocking(BLOCK_MS); left--);
            await nextTurn();
          }
        })();
      });
    },
    async connect(setting) {
      const link = blockingLink(await dial(transport(), setting));
      const { send, check } = exchanger(link, false);
      return {
        async run(next) {
          let failed: Error | undefined;
          let isAnswered = false;
          start(
            link,
            (error) => {
              failed = error;
            },
            (bytes, begin, end) => {
              check(bytes, begin, end);
              isAnswered = true;
            },
          );
          for (let left = RECORDS_PER_TURN; next(); left--) {
            isAnswered = false;
            send();
            while (!isAnswered) {
              if (failed !== undefined) throw failed;
              if (!link.receiveBlocking(BLOCK_MS)) await nextTurn();
            }
            if (left > 0) continue;
            await nextTurn();
            left = RECORDS_PER_TURN;
          }
        },
      };
    },
  };
}

/** The server sends a record per millisecond; both sides sleep in between as the transport is told to. */
export function wakeUpSides(transport: () => Transport): Sides<void, WakeUpClient> {
  return {
    async serve(setting) {
      await listen(transport(), setting, (link) => {
        start(link, endProcess, () => {});
        setInterval(() => {
          const slot = reserve(link);
          slot.bytes.fill(1, slot.start, slot.start + RECORD_BYTES);
          writeSentAt(slot.bytes, slot.start);
          link.commit(slot, RECORD_BYTES);
          link.flush();
        }, PERIOD_MS);
      });
    },
    async connect(setting) {
      const link = await dial(transport(), setting);
      return {
        receive: (onMessage) =>
          new Promise((_resolve, reject) => {
            start(link, reject, (bytes, begin) => {
              onMessage(latencyUs(bytes, begin, process.hrtime.bigint()));
            });
          }),
      };
    },
  };
}

/**
 * Sends record after record, and checks what comes back. `flush`: whether the record leaves at once; where the thread
 * blocks next, that sends it.
 */
function exchanger(
  link: Link,
  flush = true,
): {
  readonly send: () => void;
  readonly check: (bytes: Uint8Array, start: number, end: number) => void;
} {
  const outgoing = new RecordMemory();
  const incoming = new RecordMemory();
  let number = 0;
  return {
    send() {
      const slot = reserve(link);
      outgoing.write(slot.bytes, slot.start, ++number);
      link.commit(slot, RECORD_BYTES);
      if (flush) link.flush();
    },
    check: (bytes, begin, end) => incoming.check(bytes, begin, end, number),
  };
}

function startEcho(link: Link, flush = true, onEnd: () => void = endProcess): void {
  const outgoing = new RecordMemory();
  const incoming = new RecordMemory();
  let number = 0;
  start(link, onEnd, (bytes, begin, end) => {
    incoming.check(bytes, begin, end, ++number);
    const slot = reserve(link);
    outgoing.write(slot.bytes, slot.start, number);
    link.commit(slot, RECORD_BYTES);
    if (flush) link.flush();
  });
}

function start(link: Link, onEnd: (error: Error) => void, onRecord: OnRecord): void {
  link.start({
    onRecord,
    onWritable() {},
    onClose: (end) => onEnd(new Error(`the link ended: ${JSON.stringify(end)}`)),
  });
}

function reserve(link: Link): NonNullable<ReturnType<Link["reserve"]>> {
  const slot = link.reserve(RECORD_BYTES);
  if (slot === undefined) throw new Error("the link is full with one record on its way");
  return slot;
}

function blockingLink(link: Link): BlockingLink {
  if (link.receiveBlocking === undefined)
    throw new Error(`a link of the transport ${link.info.transport} cannot block`);
  return link as BlockingLink;
}

async function listen(transport: Transport, setting: Setting, onLink: (link: Link) => void): Promise<void> {
  await transport.listen(placeOf(setting), LIMITS, onLink);
}

function dial(transport: Transport, setting: Setting): Promise<Link> {
  return transport.dial(placeOf(setting), LIMITS, undefined);
}

function placeOf(setting: Setting): Place {
  return { kind: "path", path: join(setting.directory, "records") };
}

/** The client is gone, and the program with it. */
function endProcess(): void {
  process.exit();
}
