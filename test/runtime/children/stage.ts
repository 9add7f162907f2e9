// Processes that exist in virtual time only, and an endpoint that starts them.
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import type { Child, Endpoint, SpawnOptions } from "../../../index.js";
import type { ProcessEnd, SpawnRequest, Spawner } from "../../../runtime/children/spawner.js";
import { openEndpoint } from "../../../runtime/endpoint.js";
import type { Host } from "../../../runtime/host.js";
import type { Names } from "../../../runtime/names.js";
import type { OpenOptions } from "../../../runtime/open-options.js";
import type { LinkLimits } from "../../../transports/transport.js";
import { simHost } from "../../simulation/host.js";
import { type Faults, type LinkObserver, SimLink } from "../../simulation/link.js";
import { Random } from "../../simulation/random.js";
import { World } from "../../simulation/world.js";

/** What a process does. Times are in milliseconds from its start. */
export interface Behaviour {
  /** When it introduces itself, and serves Echo. 1 unless said. */
  readonly introducesAtMs?: number | "never" | undefined;
  /** When it ends by itself; never unless said. */
  readonly endsAtMs?: number | undefined;
  /** When its link ends, and it does not. */
  readonly losesLinkAtMs?: number | undefined;
  /** Its exit code where it ends by itself. 1 unless said. */
  readonly code?: number | undefined;
  /** It goes on when its link ends. */
  readonly ignoresLink?: boolean | undefined;
  /** It goes on when it is told SIGTERM. */
  readonly ignoresSigterm?: boolean | undefined;
  /** What it writes to its standard error at its start. */
  readonly writes?: readonly string[] | undefined;
  /** The spawner throws it: there is no process. */
  readonly cannotStart?: Error | undefined;
}

/** What became of a process. Times are in milliseconds since the stage was made. */
export interface Started {
  readonly pid: number;
  readonly atMs: number;
  readonly signals: { readonly signal: string; readonly atMs: number }[];
  endedAtMs: number | undefined;
  readonly request: SpawnRequest;
}

export interface Stage {
  readonly endpoint: Endpoint;
  readonly started: readonly Started[];
  nowMs(): number;
  /** How often the process of the endpoint is kept running now. */
  holds(): number;
  /** Lets so much time pass. */
  pass(durationMs: number): Promise<void>;
  /** Lets time pass until the child is there. */
  spawned(spawning: Promise<Child>): Promise<Child>;
}

const NAMES: Names = {
  domain: "sim",
  claim: () => Promise.reject(new Error("no names are taken here")),
  locate: () => Promise.reject(new Error("no names are known here")),
};
const NO_FAULTS: Faults = {
  // A link that the other end has not started yet is looked at again after this.
  maxDelayMs: 0.01,
  splitChance: 0,
  stallAtByte: Number.POSITIVE_INFINITY,
  stallMs: 0,
  cutAtByte: Number.POSITIVE_INFINITY,
  corruptAtByte: Number.POSITIVE_INFINITY,
  corruptMask: 0,
};
const NOBODY: LinkObserver = { onCommit() {}, onDeliver() {}, onStart() {}, onEnd() {} };
const START_MS = 1_000;

/** A stage on which the processes do one after the other what `behaviours` say, and all further ones what the last says. */
export async function makeStage(behaviours: readonly Behaviour[], options: OpenOptions = {}): Promise<Stage> {
  const world = new World(false);
  const random = new Random(1);
  const started: Started[] = [];
  const nowMs = (): number => world.nowMs - START_MS;
  const linkPair = (limits: LinkLimits): readonly [SimLink, SimLink] => {
    const make = (name: string): SimLink =>
      new SimLink(world, random.fork(), name, limits, 65_536, NO_FAULTS, undefined, NOBODY);
    const ends = [make("parent"), make("child")] as const;
    ends[0].connect(ends[1]);
    ends[1].connect(ends[0]);
    return ends;
  };
  const spawner: Spawner = {
    async spawn(request) {
      const behaviour = behaviours[Math.min(started.length, behaviours.length - 1)]!;
      const { introducesAtMs = 1, endsAtMs, losesLinkAtMs, code = 1, writes = [] } = behaviour;
      const pid = 5_000 + started.length;
      const process: Started = { pid, atMs: nowMs(), signals: [], endedAtMs: undefined, request };
      started.push(process);
      if (behaviour.cannotStart !== undefined) throw behaviour.cannotStart;
      const [link, childLink] = linkPair(request.limits);
      let onEnded: ((end: ProcessEnd) => void) | undefined;
      const ended = new Promise<ProcessEnd>((resolve) => {
        onEnded = resolve;
      });
      const end = (how: ProcessEnd): void => {
        if (process.endedAtMs !== undefined) return;
        process.endedAtMs = nowMs();
        childLink.close();
        world.after(0, () => onEnded?.(how));
      };
      const onLost = (): void => {
        if (behaviour.ignoresLink !== true) end({ code: 1, signal: null });
      };
      const introduce = async (): Promise<void> => {
        if (process.endedAtMs !== undefined) return;
        const own: Spawner = {
          ...spawner,
          parent: () => childLink,
          exit: () => end({ code: 0, signal: null }),
        };
        const host = simHost(world, random.fork(), pid, 0, "boot");
        const parent = behaviour.ignoresLink === true ? "keep" : true;
        const endpoint = await openEndpoint({ parent }, { host, transports: [], names: NAMES, spawner: own });
        endpoint.serve(Echo, {
          async say({ text }) {
            if (text === "hang") await new Promise(() => undefined);
            return { text, number: pid };
          },
        });
      };
      world.after(0, () => {
        for (const line of writes) request.onStderr(line);
      });
      if (introducesAtMs === "never") {
        childLink.start({ onRecord() {}, onWritable() {}, onClose: onLost });
      } else world.after(introducesAtMs, () => void introduce().catch(onLost));
      if (endsAtMs !== undefined) world.after(endsAtMs, () => end({ code, signal: null }));
      if (losesLinkAtMs !== undefined) world.after(losesLinkAtMs, () => childLink.close());
      return {
        pid,
        link,
        ended,
        kill(signal) {
          process.signals.push({ signal, atMs: nowMs() });
          if (signal === "SIGKILL" || behaviour.ignoresSigterm !== true) end({ code: null, signal });
        },
      };
    },
    parent: () => {
      throw new Error("nobody has started this one");
    },
    exit: () => undefined,
  };
  let holds = 0;
  const host: Host = {
    ...simHost(world, random.fork(), 4_242, 0, "boot"),
    hold() {
      holds++;
      return () => holds--;
    },
  };
  const endpoint = await openEndpoint(options, { host, transports: [], names: NAMES, spawner });
  const pass = async (durationMs: number): Promise<void> => {
    const endMs = world.nowMs + durationMs;
    world.after(durationMs, () => undefined);
    await world.runUntil(endMs);
    if (world.violations.length > 0) throw new Error(world.violations.join("\n"));
  };
  return {
    endpoint,
    started,
    nowMs,
    holds: () => holds,
    pass,
    async spawned(spawning) {
      let isSettled = false;
      const settled = (): void => {
        isSettled = true;
      };
      spawning.then(settled, settled);
      await pass(0);
      while (!isSettled) await pass(1);
      return spawning;
    },
  };
}

/** Pauses without chance. */
export const EVEN = { initialDelayMs: 100, maxDelayMs: 1_000, jitter: 0 };

/** A child in virtual time, and what it tells from then on. */
export async function spawned(
  behaviours: readonly Behaviour[],
  options: SpawnOptions,
): Promise<{ stage: Stage; child: Child; told: string[] }> {
  const stage = await makeStage(behaviours);
  const child = await stage.spawned(stage.endpoint.spawn("plugin", options));
  const told: string[] = [];
  const tell = (text: string): void =>
    void told.push(`${Math.round(stage.nowMs())}: ${text}, ${child.state}`);
  child.on("connected", () => tell(`connected to ${child.pid}`));
  child.on("exit", ({ pid, code, signal, restartInMs }) =>
    tell(`${pid} ended with ${code ?? signal}, again in ${restartInMs} ms`),
  );
  child.on("failed", ({ message }) => tell(message));
  return { stage, child, told };
}

/** When its processes were started. */
export function startTimes({ started }: Stage): number[] {
  return started.map(({ atMs }) => Math.round(atMs));
}
