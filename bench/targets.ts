import { CASES, describeScenario, type Scenario } from "./cases.js";
import type { Row } from "./report.js";

/** One row of a run. */
interface RowName extends Scenario {
  readonly peer: string;
}

/** What a row is to reach, as a ratio to another row, or by itself. */
type Lane =
  | {
      readonly row: RowName;
      readonly base: RowName;
      /** "times as good": the row is to be so many times faster. "times as much": it may take so many times as much. */
      readonly kind: "times as good" | "times as much";
      readonly target: number;
    }
  /** Its 99th percentile may be so many milliseconds. */
  | {
      readonly row: RowName;
      readonly base: undefined;
      readonly kind: "ms in 99 of 100";
      readonly target: number;
    };

/** A lane, and what a run says of it. */
export interface Target {
  /** The row, as `--only` names it. */
  readonly lane: string;
  /** The row that it is compared with; empty where it stands alone. */
  readonly base: string;
  readonly kind: Lane["kind"];
  /** "times as good" is met from here on, "times as much" up to here. */
  readonly target: number;
  /** `null` where a row is missing. */
  readonly measured: number | null;
  readonly verdict: "met" | "not met" | "not run";
}

const B64 = 64;
const KIB64 = 65_536;
const MIB = 1_048_576;

const RECORD = rowsOf({ case: "record-rtt", sizeBytes: B64, inFlight: null, subscribers: null });
const WAKE_UP = rowsOf({ case: "wake-up", sizeBytes: B64, inFlight: null, subscribers: null });
const CALL = rowsOf({ case: "unary-rtt", sizeBytes: B64, inFlight: 1, subscribers: null });
const LARGE_CALL = rowsOf({ case: "unary-rtt", sizeBytes: MIB, inFlight: 1, subscribers: null });
const CALLS = rowsOf({ case: "unary-rate", sizeBytes: B64, inFlight: 64, subscribers: null });
const DEATH = rowsOf({ case: "death", sizeBytes: 0, inFlight: null, subscribers: null });
const RAW = rowsOf({ case: "publish-raw", sizeBytes: B64, inFlight: null, subscribers: 1 });

const LANES: readonly Lane[] = [
  atMost(RECORD("protoipc-shm"), 2.5, RECORD("c-cacheline")),
  atMost(RECORD("protoipc-shm-loop"), 8, RECORD("c-cacheline")),
  atLeast(CALL("protoipc-shm"), 40, CALL("grpc-js")),
  atLeast(CALL("protoipc-shm"), 12, CALL("protoipc-unix")),
  atLeast(LARGE_CALL("protoipc-shm"), 30, LARGE_CALL("grpc-js")),
  atLeast(LARGE_CALL("protoipc-shm"), 5, LARGE_CALL("protoipc-unix")),
  atLeast(CALLS("protoipc-shm"), 20, CALLS("grpc-js")),
  atMost(WAKE_UP("protoipc-shm-event"), 1.1, WAKE_UP("net-raw")),
  atMost(WAKE_UP("protoipc-shm-event"), 1.3, WAKE_UP("c-eventfd")),
  atLeast(RAW("protoipc-shm"), 40, RAW("zeromq")),
  atMost(cpu(B64, 8), 3, cpu(B64, 1)),
  atMost(cpu(KIB64, 8), 1.2, cpu(KIB64, 1)),
  ...["protoipc-shm", "protoipc-unix", "protoipc-pipe"].map((peer) => withinMs(DEATH(peer), 50)),
];

/** What the rows of a run say of every target. */
export function judge(rows: readonly Row[]): Target[] {
  return LANES.map(({ row, base, kind, target }) => {
    const told = { lane: nameOf(row), base: base === undefined ? "" : nameOf(base), kind, target };
    if (base === undefined) {
      const { p99 = null } = find(rows, row) ?? {};
      if (p99 === null) return { ...told, measured: null, verdict: "not run" };
      const ms = p99 / 1_000;
      return { ...told, measured: Math.round(ms * 1_000) / 1_000, verdict: ms <= target ? "met" : "not met" };
    }
    const [own, other] = [find(rows, row), find(rows, base)];
    if (own === undefined || other === undefined) return { ...told, measured: null, verdict: "not run" };
    const isCost = CASES.find(({ name }) => name === row.case)?.better === "lower";
    const timesAsMuch = isCost ? own.median / other.median : other.median / own.median;
    const ratio = kind === "times as much" ? timesAsMuch : 1 / timesAsMuch;
    const isMet = kind === "times as much" ? ratio <= target : ratio >= target;
    return { ...told, measured: Math.round(ratio * 1_000) / 1_000, verdict: isMet ? "met" : "not met" };
  });
}

function withinMs(row: RowName, target: number): Lane {
  return { row, base: undefined, kind: "ms in 99 of 100", target };
}

function atLeast(row: RowName, target: number, base: RowName): Lane {
  return { row, base, kind: "times as good", target };
}

function atMost(row: RowName, target: number, base: RowName): Lane {
  return { row, base, kind: "times as much", target };
}

function rowsOf(scenario: Scenario): (peer: string) => RowName {
  return (peer) => ({ ...scenario, peer });
}

function cpu(sizeBytes: number, subscribers: number): RowName {
  return { case: "publish-cpu", sizeBytes, inFlight: null, subscribers, peer: "protoipc-shm" };
}

function nameOf(row: RowName): string {
  return `${describeScenario(row)} ${row.peer}`;
}

function find(rows: readonly Row[], wanted: RowName): Row | undefined {
  return rows.find((row) => nameOf(row) === nameOf(wanted));
}
