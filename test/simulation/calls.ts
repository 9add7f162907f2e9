import type { Host } from "../../runtime/host.js";
import type { IpcError } from "../../runtime/error.js";
import type { CallKind, Scenario } from "./scenario.js";
import type { Random } from "./random.js";

/** How a handler ends. */
export type HandlerEnd = "well" | "ipcError" | "throws" | "hangs";

/** One call: what its caller and its handler do, and what became of it. */
export interface Call {
  readonly id: string;
  readonly kind: CallKind;
  /** Whether the server calls a client back. */
  readonly isReverse: boolean;
  /** Made by a client that reconnects. Only where the call has an end in itself. */
  readonly reconnects: boolean;
  readonly clientIndex: number;
  readonly startMs: number;
  readonly requests: number;
  readonly responses: number;
  readonly bodyBytes: number;
  readonly handlerDelayMs: number;
  readonly readDelayMs: number;
  readonly handlerEnd: HandlerEnd;
  readonly sendsHeader: boolean;
  readonly timeoutMs: number | undefined;
  readonly cancelAfterMs: number | undefined;
  /** Stops reading after so many responses. */
  readonly breakAfter: number | undefined;

  begunMs: number | undefined;
  settled: number;
  settledMs: number | undefined;
  error: unknown;
  headers: number;
  received: number;
  handlerStarts: number;
  handlerReturns: number;
  handlerHost: Host | undefined;
}

/** Draws the calls of a run. */
export function drawCalls(random: Random, scenario: Scenario): Call[] {
  return Array.from({ length: scenario.calls }, (_, index) => drawCall(random, scenario, index));
}

function drawCall(random: Random, scenario: Scenario, index: number): Call {
  const kind = scenario.callKinds[random.int(0, scenario.callKinds.length - 1)]!;
  const timeoutMs = random.chance(scenario.deadlineChance) ? random.pick([1, 20, 200, 2_000]) : undefined;
  const cancelAfterMs = random.chance(scenario.cancelChance) ? random.pick([0, 1, 30, 300]) : undefined;
  const hasEnd = timeoutMs !== undefined || cancelAfterMs !== undefined;
  const many = kind === "count" || kind === "chat";
  return {
    id: `call-${index}`,
    kind,
    isReverse: random.chance(0.2),
    reconnects: timeoutMs !== undefined && random.chance(0.5),
    clientIndex: random.int(0, scenario.clients - 1),
    startMs: random.chance(0.3) ? 0 : random.int(0, 300),
    requests: kind === "sum" || kind === "chat" ? random.int(0, random.pick([3, 40])) : 1,
    responses: many ? random.int(0, random.pick([3, 40])) : 1,
    bodyBytes: random.int(0, scenario.maxBodyBytes),
    handlerDelayMs: random.int(0, scenario.maxHandlerDelayMs),
    readDelayMs: random.int(0, scenario.maxReadDelayMs),
    handlerEnd: random.chance(scenario.failChance)
      ? random.pick(["ipcError", "throws", hasEnd && kind !== "note" ? "hangs" : "well"])
      : "well",
    sendsHeader: random.chance(0.2),
    timeoutMs,
    cancelAfterMs,
    breakAfter: many && random.chance(scenario.cancelChance) ? random.int(0, 3) : undefined,
    begunMs: undefined,
    settled: 0,
    settledMs: undefined,
    error: undefined,
    headers: 0,
    received: 0,
    handlerStarts: 0,
    handlerReturns: 0,
    handlerHost: undefined,
  };
}

/** Whether the error says for certain that no handler ran. */
export function deniesExecution(error: unknown): error is IpcError {
  return error instanceof Error && "maybeExecuted" in error && error.maybeExecuted === false;
}
