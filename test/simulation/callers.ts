import type { EchoClient } from "../../gen/test/v1/echo_protoipc.js";
import type { CallOptions } from "../../runtime/call-options.js";
import type { Call } from "./calls.js";
import { bodyOf, problemOf } from "./text.js";
import type { World } from "./world.js";

interface Item {
  readonly text: string;
  readonly number: number;
  readonly body: Uint8Array;
}

/** What callers share. */
export interface CallerSite {
  readonly world: World;
  readonly isCorrupted: () => boolean;
}

/** Makes a call as its plan says, checks what comes back, and notes the outcome in it. Never rejects. */
export async function makeCall(site: CallerSite, client: EchoClient, call: Call): Promise<void> {
  const { world } = site;
  call.begunMs = world.nowMs;
  world.log(`${call.id} begins: ${call.kind}`);
  const abort = new AbortController();
  if (call.cancelAfterMs !== undefined) {
    world.after(call.cancelAfterMs, () => {
      if (call.settled === 0) world.log(`${call.id} is cancelled`);
      abort.abort();
    });
  }
  const options: CallOptions = {
    signal: call.cancelAfterMs === undefined ? undefined : abort.signal,
    timeoutMs: call.timeoutMs,
    metadata: { "call-id": call.id },
    onHeader: (header) => {
      call.headers++;
      if (header.get("sent-by") !== call.id && !site.isCorrupted())
        world.report(`${call.id} got a foreign header`);
    },
  };
  try {
    await perform(site, client, call, options);
    if (!site.isCorrupted()) checkWell(site, call);
    settle(world, call, undefined);
  } catch (error) {
    settle(world, call, error);
  }
}

function settle(world: World, call: Call, error: unknown): void {
  call.settled++;
  call.settledMs = world.nowMs;
  call.error = error;
  const code = error instanceof Error && "code" in error ? ` ${String(error.code)}: ${error.message}` : "";
  world.log(`${call.id} settles:${error === undefined ? " well" : code}`);
  if (error !== undefined && code === "")
    world.report(`${call.id} failed with what is no IpcError: ${String(error)}`);
}

async function perform(
  site: CallerSite,
  client: EchoClient,
  call: Call,
  options: CallOptions,
): Promise<void> {
  const check = (reply: Item, index: number): void => {
    const problem = problemOf(reply, call.id, index);
    if (problem !== undefined && !site.isCorrupted())
      site.world.report(`the caller of ${call.id}: ${problem}`);
    call.received++;
  };
  switch (call.kind) {
    case "say":
      check(await client.say(request(call, 0), options), 0);
      return;
    case "note":
      await client.note(request(call, 0), options);
      return;
    case "sum": {
      const { number } = await client.sum(requests(site.world, call), options);
      call.received++;
      if (number !== call.requests && !site.isCorrupted())
        site.world.report(`${call.id}: the sum is ${number}`);
      return;
    }
    case "count":
      await readAll(site.world, client.count(request(call, 0), options), call, check);
      return;
    case "chat":
      await readAll(site.world, client.chat(requests(site.world, call), options), call, check);
  }
}

async function readAll(
  world: World,
  replies: AsyncIterable<Item>,
  call: Call,
  check: (reply: Item, index: number) => void,
): Promise<void> {
  let index = 0;
  if (call.breakAfter === 0) {
    await replies[Symbol.asyncIterator]().return?.();
    return;
  }
  for await (const reply of replies) {
    check(reply, index++);
    if (index === call.breakAfter) break;
    if (call.readDelayMs > 0) await world.sleep(call.readDelayMs);
  }
}

function request(call: Call, index: number): Item {
  return { text: call.id, number: index, body: bodyOf(call.id, index, call.bodyBytes) };
}

async function* requests(world: World, call: Call): AsyncGenerator<Item> {
  for (let i = 0; i < call.requests; i++) {
    if (i % 8 === 7) await world.sleep(1);
    yield request(call, i);
  }
}

/** A call that ended well has all that its handler sent. */
function checkWell(site: CallerSite, call: Call): void {
  const isCut = call.breakAfter !== undefined && call.received >= call.breakAfter;
  const wanted = call.kind === "note" ? 0 : call.responses;
  if (!isCut && call.received !== wanted) {
    site.world.report(`${call.id} ended well with ${call.received} responses of ${wanted}`);
  }
  if (call.sendsHeader && call.kind !== "note" && !isCut && call.headers !== 1) {
    site.world.report(`${call.id} ended well with ${call.headers} headers`);
  }
}
