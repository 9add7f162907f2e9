import { setTimeout as sleep } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type LabelRequestSchema,
  type QueryReply,
  type QueryRequestSchema,
  Severity,
  SortBy,
} from "../../gen/hostwatch/v1/hostwatch_pb.js";
import type { HostwatchClient } from "../../gen/hostwatch/v1/hostwatch_protoipc.js";
import type { Latencies } from "./latency.js";
import type { View } from "./view/view.js";

/** What the calls work with. */
export interface Caller {
  readonly client: HostwatchClient;
  readonly view: View;
  /** Round trips of List. */
  readonly latencies: Latencies;
  /** The process to watch and to label. */
  readonly daemonPid: number;
}

/** Between two calls of List: often enough for a 99th percentile within seconds. */
const LIST_PAUSE_MS = 10;
const TALK_PAUSE_MS = 500;

/** Makes calls of every kind until `stop` aborts; a call that has begun is finished. Rejects when one fails. */
export async function keepCalling(caller: Caller, stop: AbortSignal): Promise<void> {
  await annotate(caller);
  const failed = new AbortController();
  const over = AbortSignal.any([stop, failed.signal]);
  const loops = [
    repeat(() => list(caller), LIST_PAUSE_MS, over),
    repeat(() => watch(caller, over), 0, over),
    repeat(() => label(caller), TALK_PAUSE_MS, over),
    repeat(() => query(caller), TALK_PAUSE_MS, over),
    repeat(() => log(caller), TALK_PAUSE_MS, over),
  ];
  try {
    await Promise.all(loops);
  } finally {
    failed.abort();
  }
}

async function repeat(call: () => Promise<void>, pauseMs: number, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    await call();
    // Rejects when it is over, which the loop sees by itself.
    await sleep(pauseMs, undefined, { signal: over }).catch(() => undefined);
  }
}

/** Unary. */
async function list({ client, view, latencies }: Caller): Promise<void> {
  const begunMs = performance.now();
  const reply = await client.list({ sortBy: SortBy.CPU, limit: 20 });
  latencies.add(performance.now() - begunMs);
  view.calls.unary++;
  view.processes = reply.processes;
  view.processCount = reply.total;
}

/** Unary, and the daemon calls back meanwhile. */
async function annotate({ client, view }: Caller): Promise<void> {
  const { text } = await client.useAnnotator({});
  view.calls.unary++;
  view.annotation = text;
}

/** Server stream: a few samples, then the stream ends. Leaving the loop cancels it when there is no time left for that. */
async function watch({ client, view, daemonPid }: Caller, over: AbortSignal): Promise<void> {
  for await (const watched of client.watch({ pid: daemonPid, intervalMs: 200, count: 3 })) {
    if (over.aborted) return;
    view.watched = watched;
  }
  view.calls.serverStream++;
}

/** Client stream. */
async function label({ client, view, daemonPid }: Caller): Promise<void> {
  await client.label(labels(daemonPid));
  view.calls.clientStream++;
}

function* labels(daemonPid: number): Generator<MessageInitShape<typeof LabelRequestSchema>> {
  yield { pid: daemonPid, text: "hostwatch daemon" };
  yield { pid: process.pid, text: "hostwatch viewer" };
  yield { pid: process.ppid, text: "started the viewer" };
}

/** Bidirectional: each question is asked when the one before is answered. */
async function query({ client, view, daemonPid }: Caller): Promise<void> {
  const questions: MessageInitShape<typeof QueryRequestSchema>[] = [
    { command: { case: "family", value: { pid: daemonPid } } },
    { command: { case: "filter", value: { nameContains: "node" } } },
    { command: { case: "top", value: { sortBy: SortBy.MEMORY, limit: 3 } } },
  ];
  const turn = newTurn();
  async function* ask(): AsyncGenerator<MessageInitShape<typeof QueryRequestSchema>> {
    for (const question of questions) {
      yield question;
      await turn.taken();
    }
  }
  const answers: string[] = [];
  for await (const reply of client.query(ask())) {
    answers.push(describe(reply));
    turn.take();
  }
  if (answers.length !== questions.length) {
    throw new Error(`Query answered ${answers.length} of ${questions.length} questions`);
  }
  view.calls.bidi++;
  view.answers = answers.slice(1);
}

/** One-way. */
async function log({ client, view }: Caller): Promise<void> {
  await client.log({ severity: Severity.INFO, text: `the viewer has made ${view.calls.unary} unary calls` });
  view.calls.oneWay++;
}

function describe({ title, processes }: QueryReply): string {
  return `${title}: ${processes.map(({ pid, name }) => `${pid} ${name}`).join(", ")}`;
}

/** Lets one side wait for the other: `taken` resolves once per `take`, whichever comes first. */
function newTurn(): { take(): void; taken(): Promise<void> } {
  let available = 0;
  let waiting: (() => void) | undefined;
  return {
    take() {
      if (waiting === undefined) {
        available++;
        return;
      }
      waiting();
      waiting = undefined;
    },
    async taken() {
      if (available > 0) {
        available--;
        return;
      }
      await new Promise<void>((resolve) => {
        waiting = resolve;
      });
    },
  };
}
