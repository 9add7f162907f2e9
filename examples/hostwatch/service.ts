import { setTimeout as sleep } from "node:timers/promises";
import { type CallContext, type Endpoint, IpcError } from "protoipc";
import {
  type LabelRequest,
  type LogLine,
  type Process,
  type ProcessFilter,
  type QueryRequest,
  Severity,
  SeveritySchema,
  SortBy,
  SortBySchema,
  type WatchRequest,
} from "../../gen/hostwatch/v1/hostwatch_pb.js";
import { Annotator, type HostwatchHandlers } from "../../gen/hostwatch/v1/hostwatch_protoipc.js";
import { printable } from "./printable.js";
import { readProcess } from "./proc/read-processes.js";
import { family, filtered, limitOf, sorted } from "./process-query.js";
import { isSame, type ProcessTable } from "./process-table.js";
import type { Publications } from "./publications.js";
import type { Plain } from "./samples.js";

const MAX_LABEL_LENGTH = 64;

/** What the handlers work with. */
export interface Daemon {
  readonly endpoint: Endpoint;
  readonly publications: Publications;
  readonly table: ProcessTable;
  /** Where the proc file system is mounted. */
  readonly proc: string;
  readonly log: (line: string) => void;
}

/** The handlers of hostwatch.v1.Hostwatch. */
export function hostwatchHandlers(daemon: Daemon): HostwatchHandlers {
  const { table, publications } = daemon;
  return {
    list(request) {
      const limit = limitOf(request.limit);
      const all = table.all();
      const matching = filtered(all, request.filter);
      const processes = sorted(matching, request.sortBy).slice(0, limit);
      return { processes, matched: matching.length, total: all.length };
    },
    watch: (request, call) => watch(daemon, request, call),
    label: (requests) => label(table, requests),
    query: (requests) => query(table, requests),
    log: (line) => daemon.log(logText(line)),
    useAnnotator: (_request, call) => useAnnotator(daemon, call),
    async endTopics() {
      await publications.end();
      return { published: BigInt(publications.published) };
    },
  };
}

async function* watch(
  { table, proc }: Daemon,
  { pid, intervalMs, count }: WatchRequest,
  call: CallContext,
): AsyncGenerator<Plain<Process>> {
  if (intervalMs !== 0 && (intervalMs < 10 || intervalMs > 60_000)) {
    throw new IpcError("INVALID_ARGUMENT", `interval_ms is ${intervalMs}; it must be from 10 to 60000, or 0`);
  }
  let before = readProcess(proc, pid);
  if (before === undefined) throw new IpcError("NOT_FOUND", `there is no process ${pid}`);
  let beforeMs = performance.now();
  for (let sent = 0; count === 0 || sent < count; sent++) {
    await sleep(intervalMs || 1000, undefined, { signal: call.signal });
    const now = readProcess(proc, pid);
    if (now === undefined || !isSame(before, now)) return;
    const nowMs = performance.now();
    yield table.describe(now, before, nowMs - beforeMs);
    before = now;
    beforeMs = nowMs;
  }
}

async function label(table: ProcessTable, requests: AsyncIterable<LabelRequest>) {
  let applied = 0;
  let unknown = 0;
  for await (const { pid, text } of requests) {
    if (text.length > MAX_LABEL_LENGTH) {
      throw new IpcError(
        "INVALID_ARGUMENT",
        `the label of process ${pid} has ${text.length} characters; the most is ${MAX_LABEL_LENGTH}`,
      );
    }
    if (table.label(pid, text)) applied++;
    else unknown++;
  }
  return { applied, unknown };
}

async function* query(table: ProcessTable, requests: AsyncIterable<QueryRequest>) {
  let filter: ProcessFilter | undefined;
  let number = 0;
  for await (const { command } of requests) {
    if (command.case === "filter") filter = command.value;
    number++;
    yield { number, ...answer(filtered(table.all(), filter), command) };
  }
}

function answer(
  processes: readonly Plain<Process>[],
  command: QueryRequest["command"],
): { title: string; processes: Plain<Process>[] } {
  switch (command.case) {
    case "top": {
      const limit = limitOf(command.value.limit);
      const { sortBy } = command.value;
      const by = SortBySchema.value[sortBy]?.localName.toLowerCase() ?? "pid";
      return { title: `top ${limit} by ${by}`, processes: sorted(processes, sortBy).slice(0, limit) };
    }
    case "filter": {
      const title = `${processes.length} processes fit the filter`;
      return { title, processes: sorted(processes, SortBy.PID).slice(0, limitOf(0)) };
    }
    case "family": {
      const { pid } = command.value;
      return { title: `process ${pid} and its children`, processes: family(processes, pid) };
    }
    case undefined:
      throw new IpcError("INVALID_ARGUMENT", "a query has no command; it must have top, filter or family");
  }
}

async function useAnnotator({ endpoint, table }: Daemon, call: CallContext) {
  const top = sorted(table.all(), SortBy.CPU)[0];
  if (top === undefined) throw new IpcError("NOT_FOUND", "there is no process to annotate");
  const annotator = endpoint.client(Annotator, call.peer);
  const { text } = await annotator.annotate({ process: top }, { parent: call });
  return { pid: top.pid, text };
}

function logText({ severity, text }: LogLine): string {
  const known = SeveritySchema.value[severity || Severity.INFO];
  return `${known?.localName.toLowerCase() ?? `severity ${severity}`}: ${printable(text)}`;
}
