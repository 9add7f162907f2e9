import type {
  CoreSample,
  DiskSample,
  InterfaceSample,
  LoadSample,
  MemorySample,
  Process,
} from "../../../gen/hostwatch/v1/hostwatch_pb.js";
import type { Plain } from "../samples.js";

/** How many calls of each kind have ended well. */
export interface Calls {
  unary: number;
  serverStream: number;
  clientStream: number;
  bidi: number;
  oneWay: number;
}

/** What the viewer knows, and draws. */
export interface View {
  readonly cores: Map<number, Plain<CoreSample>>;
  readonly interfaces: Map<string, Plain<InterfaceSample>>;
  readonly disks: Map<string, Plain<DiskSample>>;
  memory: Plain<MemorySample> | undefined;
  load: Plain<LoadSample> | undefined;
  /** The latest answer of List. */
  processes: readonly Plain<Process>[];
  processCount: number;
  /** The latest of Watch. */
  watched: Plain<Process> | undefined;
  /** The latest answers of Query, one line each. */
  answers: readonly string[];
  /** What the annotator said. */
  annotation: string;
  readonly calls: Calls;
  transport: string;
  samples: number;
  lost: number;
  unaryP50Us: number;
  unaryP99Us: number;
}

/** A view of nothing yet. */
export function emptyView(): View {
  return {
    cores: new Map(),
    interfaces: new Map(),
    disks: new Map(),
    memory: undefined,
    load: undefined,
    processes: [],
    processCount: 0,
    watched: undefined,
    answers: [],
    annotation: "",
    calls: { unary: 0, serverStream: 0, clientStream: 0, bidi: 0, oneWay: 0 },
    transport: "",
    samples: 0,
    lost: 0,
    unaryP50Us: 0,
    unaryP99Us: 0,
  };
}

/** The mean share of time that the cores are busy; 0 where none is known. */
export function meanBusy(view: View): number {
  let busy = 0;
  for (const core of view.cores.values()) busy += core.busy;
  return view.cores.size === 0 ? 0 : busy / view.cores.size;
}

/** The share of memory that no new program could have; 0 where it is not known. */
export function memoryShare(view: View): number {
  const { memory } = view;
  if (memory === undefined || memory.totalBytes === 0n) return 0;
  return Number(memory.totalBytes - memory.availableBytes) / Number(memory.totalBytes);
}

/** Traffic of all interfaces but the loopback, in bytes per second. */
export function networkRates(view: View): { receive: number; transmit: number } {
  const sum = { receive: 0, transmit: 0 };
  for (const [name, sample] of view.interfaces) {
    if (name === "lo") continue;
    sum.receive += sample.receiveRate;
    sum.transmit += sample.transmitRate;
  }
  return sum;
}
