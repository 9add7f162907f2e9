import { join } from "node:path";
import { afterEach } from "vitest";
import { type ShmOptions, shmTransport } from "../../transports/shm/index.js";
import { ShmLink } from "../../transports/shm/shm-link.js";
import type { Link, LinkLimits, Listener, Place } from "../../transports/transport.js";
import { type Recorder, recorder, until } from "../conformance/transport/recorder.js";
import { LIMITS } from "../conformance/transport/suite.js";
import { shmBinding } from "../harness/shm.js";
import { type Child, startProgram } from "./child.js";
import { newFolder } from "./folder.js";

const children: Child[] = [];
/** Closed after each test. */
export const listeners: Listener[] = [];
/** Closed after each test. */
export const links: Link[] = [];
export const HAS_SHM: boolean = shmBinding() !== undefined;

afterEach(async () => {
  for (const link of links.splice(0)) link.close();
  for (const listener of listeners.splice(0)) await listener.close();
  for (const child of children.splice(0)) await child.kill("SIGKILL");
});

export async function newPlace(): Promise<Place & { kind: "path" }> {
  return { kind: "path", path: join(await newFolder(), "s") };
}

/** A program of ours that ends with its test. */
export async function start(program: string, args: readonly string[]): Promise<Child> {
  const child = await startProgram(program, args);
  children.push(child);
  return child;
}

/** One end of a link, and what it got. */
export interface Side {
  readonly link: ShmLink;
  readonly got: Recorder;
}

/** A link whose records are kept. */
export function started(link: Link): Side {
  links.push(link);
  if (!(link instanceof ShmLink)) throw new Error("the link is of another transport");
  const got = recorder();
  link.start(got);
  return { link, got };
}

/** A link to a program that sends everything back. */
export async function echo(options: ShmOptions = {}): Promise<Side & { child: Child }> {
  const place = await newPlace();
  const child = await start("shm-echo", [place.path, options.waiting ?? "adaptive"]);
  const limits = { ...LIMITS, maxRecordBytes: 67_108_864 };
  return { ...started(await shmTransport(options).dial(place, limits, undefined)), child };
}

/** Both ends of a link in this process. */
export async function pair(
  here: ShmOptions = {},
  limits: LinkLimits = LIMITS,
): Promise<{ dialled: Side; accepted: Side }> {
  const place = await newPlace();
  let accepted: Side | undefined;
  listeners.push(
    await shmTransport(here).listen(place, limits, (link) => {
      accepted = started(link);
    }),
  );
  const dialled = started(await shmTransport(here).dial(place, limits, undefined));
  await until("a link is accepted", () => accepted !== undefined);
  return { dialled, accepted: accepted! };
}

/** Bytes that differ from place to place. */
export function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_value, i) => i * 31 + (i >> 8) + seed);
}

/** Sends a record with a payload in a block. */
export function sendBlock(link: Link, record: Uint8Array, content: Uint8Array): boolean {
  const block = link.blocks?.allocate(content.length);
  const slot = link.reserve(record.length);
  if (block === undefined || slot === undefined) throw new Error("there is no room");
  block.bytes.set(content, block.start);
  slot.bytes.set(record, slot.start);
  const isSent = link.commitBlock?.(slot, record.length, block, block.start, block.end) === true;
  link.blocks?.release(block);
  link.flush();
  return isSent;
}
