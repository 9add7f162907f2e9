import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import type { EchoHandlers } from "../../gen/test/v1/echo_protoipc.js";
import type { CallContext } from "../../runtime/call-context.js";
import { IpcError } from "../../runtime/error.js";
import type { SimHost } from "./host.js";
import type { Call } from "./calls.js";
import { bodyOf, problemOf } from "./text.js";
import type { World } from "./world.js";

/** A handler that runs at this moment. */
export interface Running {
  readonly call: Call;
  readonly context: CallContext;
}

/** What handlers share. */
export interface HandlerSite {
  readonly world: World;
  readonly host: SimHost;
  readonly calls: ReadonlyMap<string, Call>;
  readonly running: Set<Running>;
  /** Whether bytes may have been changed on their way, so that nothing is wrong with what is odd. */
  readonly isCorrupted: () => boolean;
}

interface Item {
  readonly text: string;
  readonly number: number;
  readonly body: Uint8Array;
}

/** The handlers of one endpoint. They do what the plan of each call says, and check what reaches them. */
export function simHandlers(site: HandlerSite): EchoHandlers {
  const { world } = site;
  const check = (call: Call, request: Item, index: number): void => {
    const problem = problemOf(request, call.id, index);
    if (problem !== undefined && !site.isCorrupted()) world.report(`the handler of ${call.id}: ${problem}`);
  };
  const reply = (call: Call, index: number): Item => ({
    text: call.id,
    number: index,
    body: bodyOf(call.id, index, call.bodyBytes),
  });
  return {
    say: (request, context) =>
      run(site, context, async (call) => {
        check(call, request, 0);
        await work(site, call, context);
        return reply(call, 0);
      }),
    async *count(_request, context) {
      yield* runMany(site, context, async function* (call) {
        for (let i = 0; i < call.responses; i++) {
          if (call.handlerDelayMs > 0 && i % 4 === 0) await world.sleep(call.handlerDelayMs);
          yield reply(call, i);
        }
        await work(site, call, context);
      });
    },
    sum: (requests, context) =>
      run(site, context, async (call) => {
        let count = 0;
        for await (const request of requests) {
          check(call, request, count++);
          if (call.readDelayMs > 0) await world.sleep(call.readDelayMs);
        }
        if (count !== call.requests && !site.isCorrupted()) {
          world.report(`the handler of ${call.id} got ${count} requests of ${call.requests}, and a good end`);
        }
        await work(site, call, context);
        return { number: count, text: call.id };
      }),
    async *chat(requests, context) {
      yield* runMany(site, context, async function* (call) {
        let count = 0;
        for await (const request of requests) {
          check(call, request, count);
          if (count < call.responses) yield reply(call, count);
          count++;
        }
        for (let i = count; i < call.responses; i++) yield reply(call, i);
        await work(site, call, context);
      });
    },
    note: (request, context) =>
      run(site, context, async (call) => {
        check(call, request, 0);
        await work(site, call, context);
        return create(EmptySchema);
      }) as Promise<unknown> as Promise<void>,
  };
}

async function run<T>(site: HandlerSite, context: CallContext, body: (call: Call) => Promise<T>): Promise<T> {
  const running = begin(site, context);
  try {
    sendHeader(running);
    return await body(running.call);
  } finally {
    end(site, running);
  }
}

async function* runMany<T>(
  site: HandlerSite,
  context: CallContext,
  body: (call: Call) => AsyncGenerator<T>,
): AsyncGenerator<T> {
  const running = begin(site, context);
  try {
    sendHeader(running);
    yield* body(running.call);
  } finally {
    end(site, running);
  }
}

function begin(site: HandlerSite, context: CallContext): Running {
  const id = context.metadata.get("call-id");
  const call = typeof id === "string" ? site.calls.get(id) : undefined;
  if (call === undefined) {
    if (!site.isCorrupted())
      site.world.report(`a handler was started for ${String(id)}, which nobody called`);
    throw new IpcError("NOT_FOUND", "no such call");
  }
  site.world.log(`handler of ${call.id} starts`);
  call.handlerStarts++;
  call.handlerHost = site.host;
  const running = { call, context };
  site.running.add(running);
  return running;
}

/** Throws where the peer takes no such header. */
function sendHeader({ call, context }: Running): void {
  if (!call.sendsHeader) return;
  context.header.set("sent-by", call.id);
  context.sendHeader();
}

function end(site: HandlerSite, running: Running): void {
  site.world.log(`handler of ${running.call.id} returns`);
  running.call.handlerReturns++;
  site.running.delete(running);
}

/** Takes its time, and ends as planned. */
async function work(site: HandlerSite, call: Call, context: CallContext): Promise<void> {
  if (call.handlerDelayMs > 0) await site.world.sleep(call.handlerDelayMs);
  switch (call.handlerEnd) {
    case "well":
      return;
    case "ipcError":
      throw new IpcError("ABORTED", `${call.id} was told to fail`);
    case "throws":
      throw new Error(`${call.id} was told to throw`);
    case "hangs":
      await new Promise<void>((resolve) => {
        if (context.signal.aborted) resolve();
        else context.signal.addEventListener("abort", () => resolve(), { once: true });
      });
  }
}
