import { type Measured, ofTimes } from "./measure.js";
import type { DeathClient, Victim } from "./peers/peer.js";

/** How many processes are killed. */
const KILLS = 200;
/** Kept started, so that a kill does not wait for the next process to begin. */
const AHEAD = 3;

/** Times how long it takes from the kill of a process until its peer is told that it is gone. */
export async function measureDeaths(client: DeathClient): Promise<Measured> {
  const timesUs: number[] = [];
  const victims: Promise<Victim>[] = [];
  for (let started = 0; timesUs.length < KILLS; ) {
    while (victims.length < AHEAD && started < KILLS) victims.push(client.victim(started++));
    timesUs.push(await (await victims.shift()!).kill());
  }
  return ofTimes(Float64Array.from(timesUs).sort());
}
