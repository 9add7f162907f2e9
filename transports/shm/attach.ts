import { Code } from "../../bindings/node/binding.js";
import { TransportError } from "../transport.js";
import type { Hub, LinkEvents } from "./hub.js";

/** Why a link did not come about, as transports say it. */
export function shmError(hub: Hub, code: number, what: string, reason = ""): TransportError {
  const why = reason === "" ? hub.binding.errorText(code) : reason;
  return new TransportError(KINDS[code] ?? "unavailable", `${what}: ${why}`);
}

const KINDS: Readonly<Record<number, TransportError["kind"]>> = {
  [Code.ENOTFOUND]: "notFound",
  [Code.EINUSE]: "inUse",
  [Code.EAGAIN]: "busy",
  [Code.EDENIED]: "denied",
  [Code.ETOOLARGE]: "invalid",
};

export interface AttachOptions {
  readonly hub: Hub;
  /** Of a link that is connected. */
  readonly id: number;
  readonly path: string;
  readonly timeoutMs: number;
  readonly onAttached: () => void;
  readonly onFailed: (error: TransportError) => void;
}

/** Waits until both sides have taken each other's memory. Returns what gives it up. */
export function attach(options: AttachOptions): () => void {
  const { hub, id, path, timeoutMs, onAttached, onFailed } = options;
  const what = `cannot attach to the peer at ${path}`;
  let isOver = false;
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    isOver = true;
    clearTimeout(timer);
    hub.setLink(id, undefined);
  };
  const giveUp = (): void => {
    stop();
    hub.native.linkClose(id);
  };
  const events: LinkEvents = {
    onAttached() {
      stop();
      onAttached();
    },
    onEnded(code) {
      const reason = hub.native.linkReason(id);
      giveUp();
      const closed = code === Code.ECLOSED ? "it closed the connection" : reason;
      onFailed(shmError(hub, code, what, closed));
    },
    onRecords() {},
    onResume() {},
    onWritable() {},
  };
  hub.setLink(id, events);
  // The verdict waits for one round of reading: after this process stood still, the answer is there but not read.
  const onTimeout = (): void => {
    setImmediate(() => {
      if (isOver) return;
      giveUp();
      const limit = `it did not answer within the limit of ${timeoutMs} ms (frameTimeoutMs)`;
      onFailed(new TransportError("unavailable", `${what}: ${limit}`));
    });
  };
  timer = setTimeout(onTimeout, timeoutMs).unref();
  return giveUp;
}
