// The soak of endpoints: a server and two clients, each a Node process, of which one after the other is killed.
import { readdir, readFile } from "node:fs/promises";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { SoakReport } from "./content.js";
import { startSoaker, type Soaker } from "./soaker.js";
import { newFiles, sharedFiles } from "./soak-core.js";

export interface NodeSoak {
  readonly kills: number;
  /** Calls and publications that came whole, in order, once. */
  readonly checked: number;
  readonly bytes: number;
  /** Calls and subscriptions that a kill has ended. */
  readonly unavailable: number;
  readonly audits: number;
  readonly ms: number;
  /** "": everything holds. */
  readonly failure: string;
}

const ROLES = ["server", "client", "client"] as const;
/** A call that is older has been forgotten: calls in a busy process take milliseconds. */
const OLDEST_MS = 15_000;
const KILLS_BETWEEN_AUDITS = 10;

interface Holdings {
  readonly descriptors: number;
  readonly maps: number;
}

async function holdingsOf(pid: number): Promise<Holdings> {
  const [descriptors, maps] = await Promise.all([
    readdir(`/proc/${pid}/fd`),
    readFile(`/proc/${pid}/maps`, "utf8"),
  ]);
  return { descriptors: descriptors.length, maps: maps.split("memfd:protoipc").length - 1 };
}

/** xorshift: the same kills for the same seed, as far as time allows. */
function chanceOf(seed: number): (bound: number) => number {
  let state = (seed * 2 + 1) | 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

class NodeSoaking {
  readonly #name: string;
  readonly #soakers: Soaker[] = [];
  /** The most that a process had of descriptors and maps in the first audits of its role, by role. */
  readonly #usual = new Map<string, Holdings>();
  /** Counted by processes that are dead by now. */
  #checked = 0;
  #bytes = 0;
  #unavailable = 0;
  audits = 0;

  constructor(name: string) {
    this.#name = name;
  }

  async start(): Promise<void> {
    for (const role of ROLES) this.#soakers.push(await startSoaker(role, this.#name));
    await this.#flow();
  }

  async killOne(index: number, restMs: number): Promise<void> {
    const victim = this.#soakers[index]!;
    this.#count(await victim.report("report"));
    // Not right after it has answered, when its turn of the event loop is over.
    await sleep(restMs);
    await victim.kill();
    this.#soakers[index] = await startSoaker(ROLES[index]!, this.#name);
  }

  #count({ checked, bytes, unavailable, violations, pid }: SoakReport): void {
    this.#checked += checked;
    this.#bytes += bytes;
    this.#unavailable += unavailable;
    if (violations.length > 0) throw new Error(`process ${pid}: ${violations.join("; ")}`);
  }

  /** Waits until every process gets on, and looks at what each of them says. */
  async #flow(): Promise<void> {
    for (const soaker of this.#soakers) {
      const { checked, pid } = await soaker.report("report");
      const giveUpAt = performance.now() + OLDEST_MS;
      for (;;) {
        const now = await soaker.report("report");
        if (now.violations.length > 0) throw new Error(`process ${pid}: ${now.violations.join("; ")}`);
        if (now.oldestMs > OLDEST_MS)
          throw new Error(`process ${pid}: a call is not settled after ${now.oldestMs} ms`);
        if (now.checked > checked + 20) break;
        if (performance.now() > giveUpAt) throw new Error(`${soaker.role} ${pid} does not get on any more`);
        await sleep(20);
      }
    }
  }

  /** All get on, and have no more than what such a process had at first. */
  async audit(isFirst: boolean): Promise<void> {
    await this.#flow();
    this.audits++;
    for (const soaker of this.#soakers) {
      const giveUpAt = performance.now() + OLDEST_MS;
      for (;;) {
        const now = await holdingsOf(soaker.pid);
        const usual = this.#usual.get(soaker.role) ?? { descriptors: 0, maps: 0 };
        if (isFirst) {
          this.#usual.set(soaker.role, {
            descriptors: Math.max(now.descriptors, usual.descriptors),
            maps: Math.max(now.maps, usual.maps),
          });
          break;
        }
        // A link that is just ending has not let go yet.
        if (now.descriptors <= usual.descriptors && now.maps <= usual.maps) break;
        if (performance.now() > giveUpAt)
          throw new Error(
            `${soaker.role} ${soaker.pid} has ${now.descriptors} descriptors and ${now.maps} maps; ` +
              `at first there were ${usual.descriptors} and ${usual.maps}`,
          );
        await sleep(50);
      }
    }
  }

  async end(): Promise<void> {
    for (const soaker of [...this.#soakers].reverse()) this.#count(await soaker.report("stop"));
  }

  async dispose(): Promise<void> {
    for (const soaker of this.#soakers) await soaker.kill();
  }

  totals(): Pick<NodeSoak, "checked" | "bytes" | "unavailable" | "audits"> {
    return {
      checked: this.#checked,
      bytes: this.#bytes,
      unavailable: this.#unavailable,
      audits: this.audits,
    };
  }
}

/** Kills so many Node processes. */
export async function soakNode(kills: number, seed: number): Promise<NodeSoak> {
  const chance = chanceOf(seed);
  const startMs = performance.now();
  const directory = await mkdtemp(join(tmpdir(), "soak-"));
  process.env["PROTOIPC_DIR"] = directory;
  const before = await sharedFiles();
  const soaking = new NodeSoaking("shm:soak");
  let done = 0;
  let failure = "";
  try {
    await soaking.start();
    await soaking.audit(true);
    for (; done < kills; done++) {
      await sleep(chance(150));
      await soaking.killOne(chance(ROLES.length), chance(10));
      // The first half, at most, says what is usual; the rest may not have more.
      const isFirst = done < Math.min(3 * KILLS_BETWEEN_AUDITS, kills / 2);
      if ((done + 1) % KILLS_BETWEEN_AUDITS === 0) await soaking.audit(isFirst);
    }
    await soaking.audit(kills < 2 * KILLS_BETWEEN_AUDITS);
    await soaking.end();
    const left = newFiles(before, await sharedFiles());
    if (left.length > 0) failure = `in /dev/shm there is now ${left.join(", ")}`;
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  } finally {
    await soaking.dispose();
    delete process.env["PROTOIPC_DIR"];
    await rm(directory, { recursive: true });
  }
  const ms = Math.round(performance.now() - startMs);
  return { kills: done, ...soaking.totals(), ms, failure };
}
