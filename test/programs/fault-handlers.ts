// Handlers of the Echo service that can be told to take long, to hang, or to send without end, and that count how they
// were started and left.
import { setTimeout as sleep } from "node:timers/promises";
import type { EchoHandlers } from "../../gen/test/v1/echo_protoipc.js";

/** What the handlers have seen. */
export interface Tally {
  started: number;
  running: number;
  mostRunning: number;
  /** Signals that aborted, by method and text, such as "say hang". */
  readonly aborted: Record<string, number>;
  /** Generators whose `finally` ran, likewise. */
  readonly left: Record<string, number>;
}

/** The texts of requests that are not echoed. */
export const HANG = "hang";
export const WAIT = "wait";
export const LARGE = "large";
export const ENDLESS = "endless";

// Shared by all responses, so that what a server's memory holds is the runtime's. At most 1 MiB is asked for.
const BODY = new Uint8Array(1_048_576);

export function newTally(): Tally {
  return { started: 0, running: 0, mostRunning: 0, aborted: {}, left: {} };
}

/**
 * `say` with the text "hang" waits until it is aborted; with "wait" it takes `number` milliseconds, whatever its signal
 * says; with "large" it answers with `number` bytes; any other text comes back, with this process's pid. `count` sends
 * one reply and hangs, or sends bodies of `number` bytes without end. `chat` echoes.
 */
export function faultHandlers(tally: Tally): Pick<EchoHandlers, "say" | "count" | "chat"> {
  const enter = (what: string, signal: AbortSignal): void => {
    tally.started++;
    tally.running++;
    tally.mostRunning = Math.max(tally.mostRunning, tally.running);
    signal.addEventListener("abort", () => add(tally.aborted, what), { once: true });
  };
  return {
    async say({ text, number, body }, call) {
      enter(`say ${text}`, call.signal);
      try {
        if (text === HANG) await aborted(call.signal);
        if (text === WAIT) await sleep(number);
        return text === LARGE
          ? { text, body: BODY.subarray(0, number) }
          : { text, number: process.pid, body };
      } finally {
        tally.running--;
      }
    },
    async *count({ text, number }, call) {
      enter(`count ${text}`, call.signal);
      try {
        const body = BODY.subarray(0, number);
        for (let i = 0; ; i++) {
          yield { text, number: i, body };
          if (text === HANG) await aborted(call.signal);
        }
      } finally {
        tally.running--;
        add(tally.left, `count ${text}`);
      }
    },
    async *chat(messages, call) {
      enter("chat", call.signal);
      try {
        for await (const { text, number } of messages) yield { text, number };
      } finally {
        tally.running--;
        add(tally.left, "chat");
      }
    },
  };
}

function add(counts: Record<string, number>, what: string): void {
  counts[what] = (counts[what] ?? 0) + 1;
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
