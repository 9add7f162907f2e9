import { parseArgs } from "node:util";
import logUpdate from "log-update";
import { open, type Peer } from "protoipc";
import { type AnnotateRequest, ProcessStateSchema } from "../../gen/hostwatch/v1/hostwatch_pb.js";
import { Annotator, Demo, Hostwatch } from "../../gen/hostwatch/v1/hostwatch_protoipc.js";
import { run, wholeNumber } from "./command-line.js";
import { Latencies } from "./latency.js";
import { formatBytes, formatShare } from "./view/format.js";
import { renderLine } from "./view/render-line.js";
import { renderTable } from "./view/render-table.js";
import { emptyView, type View } from "./view/view.js";
import { keepCalling } from "./viewer-calls.js";
import { followTopics, type Topics } from "./viewer-topics.js";

const HELP = `Usage: viewer.js [options]

Shows what a hostwatch daemon publishes: a live table in a terminal, else a line per
second. Runs until the daemon ends its topics, or SIGINT or SIGTERM.

  --from ADDRESS       the daemon (hostwatch)
  --seconds N          stop after so many, 1 to 86400
  --report-to ADDRESS  an endpoint that serves hostwatch.v1.Demo and is told the totals
  --help               this text

Exit codes: 0 ended well, 1 failed, 2 wrong arguments.
`;

const REDRAW_MS = 200;
const LINE_MS = 1000;

await run(async (stop) => {
  const { values } = parseArgs({
    options: {
      from: { type: "string", default: "hostwatch" },
      seconds: { type: "string" },
      "report-to": { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const seconds = wholeNumber("seconds", values.seconds, { fallback: 0, least: 1, most: 86_400 });
  const enough = seconds === 0 ? stop : AbortSignal.any([stop, AbortSignal.timeout(seconds * 1000)]);

  await using endpoint = await open();
  endpoint.serve(Annotator, { annotate: (request) => ({ text: annotation(request) }) });
  const daemon = await endpoint.connect(values.from, { signal: stop });
  process.stdout.write(`viewer: over ${daemon.link.transport}, as ${daemon.link.reason}\n`);
  const demo = values["report-to"] === undefined ? undefined : endpoint.client(Demo, values["report-to"]);

  // Under Wine, /proc is Linux's, where the daemon has another number than it knows itself. The first process is there.
  const daemonPid = process.platform === "win32" ? 1 : daemon.pid;

  const view = emptyView();
  view.transport = daemon.link.transport;
  const latencies = new Latencies();
  const topics = followTopics(endpoint, daemon, view, enough);
  const ended = new AbortController();
  const stopDrawing = keepDrawing(() => refresh(view, topics, latencies));
  try {
    await Promise.all([
      topics.ready.then(() => demo?.ready({})),
      topics.ended.then(() => ended.abort()),
      keepCalling(
        { client: endpoint.client(Hostwatch, daemon), view, latencies, daemonPid },
        AbortSignal.any([enough, ended.signal]),
      ),
    ]);
  } catch (error) {
    // A daemon that has ended its topics may be gone before the calls that were under way are answered.
    if (!enough.aborted && !ended.signal.aborted) throw error;
  } finally {
    ended.abort();
    stopDrawing();
  }
  if (!stop.aborted) await demo?.report(report(daemon, view, topics));
});

/** Draws until the function that it returns is called, which draws once more. */
function keepDrawing(refreshed: () => View): () => void {
  const { stdout } = process;
  if (!stdout.isTTY) {
    const draw = () => stdout.write(`${renderLine(refreshed())}\n`);
    const timer = setInterval(draw, LINE_MS);
    return () => {
      clearInterval(timer);
      draw();
    };
  }
  const draw = () => logUpdate(renderTable(refreshed(), { columns: stdout.columns, rows: stdout.rows }));
  const timer = setInterval(draw, REDRAW_MS);
  return () => {
    clearInterval(timer);
    draw();
    logUpdate.done();
  };
}

function refresh(view: View, topics: Topics, latencies: Latencies): View {
  view.samples = topics.samples();
  view.lost = topics.lost();
  [view.unaryP50Us = 0, view.unaryP99Us = 0] = latencies.percentilesUs(0.5, 0.99);
  return view;
}

/** The totals. The view was refreshed by the last drawing. */
function report(daemon: Peer, { calls, unaryP50Us, unaryP99Us }: View, topics: Topics) {
  return {
    transport: daemon.link.transport,
    samples: BigInt(topics.samples()),
    lost: BigInt(topics.lost()),
    bytes: BigInt(topics.bytes()),
    calls: {
      unary: BigInt(calls.unary),
      serverStream: BigInt(calls.serverStream),
      clientStream: BigInt(calls.clientStream),
      bidi: BigInt(calls.bidi),
      oneWay: BigInt(calls.oneWay),
    },
    unaryP50Us,
    unaryP99Us,
  };
}

/** What this peer has to say about a process. */
function annotation({ process: subject }: AnnotateRequest): string {
  if (subject === undefined) return "no process was named";
  const { pid, name, state, cpu, residentBytes } = subject;
  const doing = ProcessStateSchema.value[state]?.localName.toLowerCase() ?? "in an unknown state";
  return `busiest: ${pid} ${name}, ${doing}, ${formatShare(cpu)}, ${formatBytes(residentBytes)}`;
}
