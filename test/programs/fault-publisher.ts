// Publishes topics as told. Argument: the options of `open`, as JSON.
import { setTimeout as sleep } from "node:timers/promises";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { type OpenOptions, open } from "../../index.js";
import { answerLines } from "./fault-lines.js";

export type DroppingTopic = "keyed" | "dropNewest";

type Command =
  /** Waits for `subscribers`, then publishes at once; awaits each publication, or all of them together. */
  | { readonly do: "block"; readonly subscribers: number; readonly count: number; readonly together: boolean }
  /** Publishes `count` messages of `bytes` bytes, in turns of `perTurn`, on `keys` keys one after the other. */
  | {
      readonly do: "flood";
      readonly topic: DroppingTopic;
      readonly count: number;
      readonly perTurn: number;
      readonly keys: number;
      readonly bytes: number;
    }
  /** Publishes `perTick` messages every `tickMs` until "rest". */
  | {
      readonly do: "pace";
      readonly topic: DroppingTopic;
      readonly perTick: number;
      readonly tickMs: number;
      readonly bytes: number;
    }
  | { readonly do: "rest" }
  | { readonly do: "subscribers"; readonly topic: DroppingTopic; readonly count: number }
  | { readonly do: "close" };

const endpoint = await open(JSON.parse(process.argv[2] ?? "{}") as OpenOptions);
const blocking = await endpoint.publisher(Echo.blocking);
const dropping = {
  keyed: await endpoint.publisher(Echo.keyed),
  dropNewest: await endpoint.publisher(Echo.dropNewest),
};
const sent: Record<string, number> = {};
let timer: NodeJS.Timeout | undefined;

function publish(topic: DroppingTopic, key: number, body: Uint8Array): void {
  const name = `key ${key}`;
  const { seq } = dropping[topic].publish({ name, shard: key }, { body });
  sent[name] = seq;
}

await answerLines<Command>({ pid: process.pid }, async (command) => {
  switch (command.do) {
    case "block": {
      await blocking.ready({ subscribers: command.subscribers, timeoutMs: 20_000 });
      const all: Promise<unknown>[] = [];
      for (let number = 0; number < command.count; number++) {
        const published = blocking.publishWhenReady({ name: "a", shard: 1 }, { number });
        if (command.together) all.push(published);
        else await published;
      }
      await Promise.all(all);
      return { published: command.count };
    }
    case "flood": {
      const body = new Uint8Array(command.bytes);
      for (let i = 0; i < command.count; i++) {
        publish(command.topic, i % command.keys, body);
        if (i % command.perTurn === command.perTurn - 1) await sleep(1);
      }
      return sent;
    }
    case "pace": {
      const body = new Uint8Array(command.bytes);
      const startMs = performance.now();
      let ticks = 0;
      // Ticks that came late are made up for, so that the rate does not depend on how the timer is served.
      timer = setInterval(() => {
        for (; ticks < (performance.now() - startMs) / command.tickMs; ticks++) {
          for (let i = 0; i < command.perTick; i++) publish(command.topic, 0, body);
        }
      }, command.tickMs);
      return {};
    }
    case "rest":
      clearInterval(timer);
      return sent;
    case "subscribers":
      await dropping[command.topic].ready({ subscribers: command.count, timeoutMs: 20_000 });
      return {};
    case "close":
      await endpoint.close();
      return sent;
  }
});
