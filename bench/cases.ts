/** What is measured. One case is one table; one scenario is one row of it. */

export type CaseName =
  | "unary-rtt"
  | "unary-rate"
  | "server-stream"
  | "one-way"
  | "publish"
  | "record-rtt"
  | "wake-up"
  | "publish-cpu"
  | "publish-raw"
  | "death";

export interface Scenario {
  readonly case: CaseName;
  /** About the size of the message, encoded. */
  readonly sizeBytes: number;
  /** How many calls are in flight at a time; `null` where calls do not count. */
  readonly inFlight: number | null;
  /** How many subscribers there are; `null` where nothing is published. */
  readonly subscribers: number | null;
}

export interface Case {
  readonly name: CaseName;
  readonly title: string;
  readonly unit: "us" | "ns" | "calls/s" | "messages/s";
  readonly better: "lower" | "higher";
  /** The peer that the others are compared with. */
  readonly base: string;
  readonly scenarios: readonly Scenario[];
  /**
   * How often each round runs its programs, the peers in turns; once unless said. More often where what is compared differs
   * several times between one second and the next on a virtual machine, whose CPUs move between caches: then the median over
   * one run says where the CPUs happened to be.
   */
  readonly repeats?: number;
}

const B64 = 64;
const KIB = 1_024;
const KIB64 = 65_536;
const MIB = 1_048_576;

export const CASES: readonly Case[] = [
  {
    name: "unary-rtt",
    title: "Round trip of one unary call at a time",
    unit: "us",
    better: "lower",
    base: "grpc-js",
    scenarios: [B64, KIB, KIB64, MIB].map((sizeBytes) => call("unary-rtt", sizeBytes, 1)),
  },
  {
    name: "unary-rate",
    title: "Unary calls per second",
    unit: "calls/s",
    better: "higher",
    base: "grpc-js",
    scenarios: [
      call("unary-rate", B64, 1),
      call("unary-rate", B64, 64),
      call("unary-rate", B64, 256),
      call("unary-rate", KIB, 64),
      call("unary-rate", KIB64, 64),
      call("unary-rate", MIB, 64),
    ],
  },
  {
    name: "server-stream",
    title: "Messages per second of one server stream",
    unit: "messages/s",
    better: "higher",
    base: "grpc-js",
    scenarios: [B64, KIB, KIB64, MIB].map((sizeBytes) => messages("server-stream", sizeBytes, null)),
  },
  {
    name: "one-way",
    title: "One-way messages per second, sent and arrived",
    unit: "messages/s",
    better: "higher",
    base: "zeromq",
    scenarios: [B64, KIB, KIB64, MIB].map((sizeBytes) => messages("one-way", sizeBytes, null)),
  },
  {
    name: "publish",
    title: "Publications per second, each received by every subscriber",
    unit: "messages/s",
    better: "higher",
    base: "grpc-js",
    scenarios: [
      ...[1, 4, 16].map((subscribers) => messages("publish", B64, subscribers)),
      ...[KIB, KIB64, MIB].map((sizeBytes) => messages("publish", sizeBytes, 1)),
    ],
  },
  {
    name: "record-rtt",
    title: "Round trip of one bare record at a time, without codec and session",
    unit: "us",
    better: "lower",
    base: "c-cacheline",
    scenarios: [messages("record-rtt", B64, null)],
    repeats: 5,
  },
  {
    name: "wake-up",
    title: "One way to a receiver that sleeps, a message per millisecond",
    unit: "us",
    better: "lower",
    base: "net-raw",
    scenarios: [messages("wake-up", B64, null)],
    repeats: 5,
  },
  {
    name: "publish-cpu",
    title: "CPU time of the publishing process per publication",
    unit: "ns",
    better: "lower",
    base: "zeromq",
    scenarios: [B64, KIB64].flatMap((sizeBytes) =>
      [1, 8].map((subscribers) => messages("publish-cpu", sizeBytes, subscribers)),
    ),
    repeats: 3,
  },
  {
    name: "publish-raw",
    title: "Publications of raw bytes per second, received by one subscriber",
    unit: "messages/s",
    better: "higher",
    base: "zeromq",
    scenarios: [messages("publish-raw", B64, 1)],
    repeats: 3,
  },
  {
    name: "death",
    title: "From the kill of a process until its peer is told, over 200 kills",
    unit: "us",
    better: "lower",
    base: "protoipc-unix",
    // Nothing is sent: the size is that of nothing.
    scenarios: [messages("death", 0, null)],
  },
];

/** What `--only` is matched against, and what names a row. */
export function describeScenario(scenario: Scenario): string {
  const parts = [scenario.case, formatBytes(scenario.sizeBytes)];
  if (scenario.inFlight !== null) parts.push(`in-flight=${scenario.inFlight}`);
  if (scenario.subscribers !== null) parts.push(`subscribers=${scenario.subscribers}`);
  return parts.join(" ");
}

export function formatBytes(bytes: number): string {
  if (bytes >= MIB) return `${bytes / MIB}MiB`;
  return bytes >= KIB ? `${bytes / KIB}KiB` : `${bytes}B`;
}

function call(name: CaseName, sizeBytes: number, inFlight: number): Scenario {
  return { case: name, sizeBytes, inFlight, subscribers: null };
}

function messages(name: CaseName, sizeBytes: number, subscribers: number | null): Scenario {
  return { case: name, sizeBytes, inFlight: null, subscribers };
}
