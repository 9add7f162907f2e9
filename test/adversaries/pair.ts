// One run: a victim, an honest client of it, and an adversary, each in a process of its own.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { compile, SANITIZERS } from "./compile.js";
import type { End, Honest, Hostile, Outcome, Report } from "./outcome.js";

const CORE = "core/protoipc.c";
/** Characters of a process's complaints that are kept. */
const MOST_ERRORS = 100_000;

/** The programs of a build of the library: with every check, or with those that can be switched off. */
export interface Victims {
  readonly victim: string;
  readonly honest: string;
}

export async function compileVictims(isWeakened: boolean): Promise<Victims> {
  const flags = [...SANITIZERS, ...(isWeakened ? ["-DSHM_WEAKEN"] : [])];
  const build = (name: string): Promise<string> =>
    compile({ name, sources: [`test/adversaries/${name}.c`, CORE], flags });
  return { victim: await build("victim"), honest: await build("honest") };
}

export function compileAdversary(name: string): Promise<string> {
  return compile({ name, sources: [`test/adversaries/${name}.c`], flags: ["-O1", "-g"] });
}

export interface Attack {
  /** The adversary's program. */
  readonly program: string;
  readonly attack: string;
  /** A second honest client comes when the attack says that it has begun. */
  readonly withLateClient?: boolean;
  /** The victim waits for the hostile link with a blocking call, in a thread of its own. */
  readonly isBlocking?: boolean;
}

export interface Times {
  /** What the honest client takes for a stall. */
  readonly stallMs: number;
  /** What the adversary gives the victim to end a link. */
  readonly patienceMs: number;
  /** How many variants of the attack are played. */
  readonly variants?: number;
}

/** A process that says lines of JSON. */
class Talker {
  readonly child: ChildProcess;
  readonly lines: Record<string, unknown>[] = [];
  readonly ended: Promise<void>;
  errors = "";
  hasEnded = false;
  #wake: () => void = () => undefined;

  constructor(command: string, args: readonly string[], weakened: string | undefined) {
    const env = {
      ...process.env,
      SHM_WEAKEN: weakened ?? "",
      ASAN_OPTIONS: "abort_on_error=0:detect_leaks=1:exitcode=99",
      UBSAN_OPTIONS: "print_stacktrace=1",
    };
    this.child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], env });
    this.child.stdin!.on("error", () => undefined);
    this.child.stderr!.on("data", (part: Buffer) => {
      if (this.errors.length < MOST_ERRORS) this.errors += part.toString("latin1");
    });
    createInterface({ input: this.child.stdout! }).on("line", (line) => {
      this.lines.push(JSON.parse(line) as Record<string, unknown>);
      this.#wake();
    });
    this.ended = once(this.child, "close").then(() => {
      this.hasEnded = true;
      this.#wake();
    });
  }

  /** Waits until it has said something with the key, or has ended. */
  async said(key: string): Promise<Record<string, unknown> | undefined> {
    for (;;) {
      const line = this.lines.find((candidate) => key in candidate);
      if (line !== undefined || this.hasEnded) return line;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Asks it to end, and makes it where it does not. */
  async quit(limitMs: number): Promise<void> {
    this.child.stdin!.end("quit\n");
    await this.endWithin(limitMs);
  }

  async endWithin(limitMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limitMs);
    });
    await Promise.race([this.ended, limit]);
    clearTimeout(timer);
    const isInTime = this.hasEnded;
    if (!isInTime) this.child.kill("SIGKILL");
    await this.ended;
    return isInTime;
  }

  get exit(): number | string {
    return this.child.exitCode ?? this.child.signalCode ?? "unknown";
  }
}

function honestOutcome(talker: Talker): Honest {
  const last = talker.lines.find((line) => "rounds" in line);
  if (last !== undefined) return last as unknown as Honest;
  return {
    rounds: 0,
    publications: 0,
    longestMs: 0,
    error: "killed",
    reason: `${talker.exit}: ${talker.errors}`,
  };
}

/** Plays an attack against a build; `weakened` names the check that is off in it. */
export async function play(
  victims: Victims,
  adversary: string,
  attack: Attack,
  times: Times,
  weakened?: string,
): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), "adversaries-"));
  await chmod(folder, 0o755);
  const [good, bad] = [join(folder, "honest"), join(folder, "hostile")];
  const talkers: Talker[] = [];
  const start = (command: string, args: readonly string[]): Talker => {
    const talker = new Talker(command, args, weakened);
    talkers.push(talker);
    return talker;
  };
  try {
    const victim = start(victims.victim, [good, bad, ...(attack.isBlocking ? ["--blocking"] : [])]);
    await victim.said("ready");
    const honest = start(victims.honest, [good, `${times.stallMs}`]);
    await honest.said("ready");
    const variants = times.variants === undefined ? [] : [`${times.variants}`];
    const hostile = start(adversary, [attack.attack, bad, `${times.patienceMs}`, ...variants]);
    let late: Talker | undefined;
    if (attack.withLateClient) {
      await hostile.said("begun");
      late = start(victims.honest, [good, `${times.stallMs}`]);
    }
    // Whatever ends first: a crash or a stall is the attack's success, and needs no more of it.
    await Promise.race([hostile, victim, honest, late ?? hostile].map((talker) => talker.ended));
    const wasStopped = !hostile.hasEnded;
    await hostile.endWithin(wasStopped ? 0 : 1_000);
    await Promise.all([honest.quit(times.stallMs + 5_000), late?.quit(times.stallMs + 5_000)]);
    await victim.quit(times.stallMs + 2_000);
    return {
      ends: victim.lines.filter((line) => "end" in line) as unknown as End[],
      report: victim.lines.find((line) => "report" in line) as unknown as Report | undefined,
      victimExit: victim.exit,
      victimErrors: victim.errors,
      honest: honestOutcome(honest),
      late: late === undefined ? undefined : honestOutcome(late),
      hostile: wasStopped ? undefined : (Object.assign({}, ...hostile.lines) as Hostile),
      hostileErrors: hostile.errors,
    };
  } finally {
    for (const talker of talkers) await talker.endWithin(0);
    await rm(folder, { recursive: true });
  }
}
