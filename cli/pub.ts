import { setTimeout as sleep } from "node:timers/promises";
import { IpcError, type KeyedPublisher, type UnkeyedPublisher } from "../index.js";
import { describeAll, findItem } from "./catalog.js";
import { CliError } from "./cli-error.js";
import { type DialOptions, withEndpoint } from "./endpoint.js";
import { printJson, printLine } from "./output.js";
import { postsOf } from "./posts.js";

interface PubOptions extends DialOptions {
  readonly subscribers: number;
  readonly count: number;
  readonly interval: number;
}

/** Publishes on a topic, with the schema of whoever has it, when there are subscribers. */
export async function publish(
  name: string,
  first: string | undefined,
  second: string | undefined,
  options: PubOptions,
): Promise<void> {
  const publishing = { discoverable: true, drainTimeoutMs: options.timeout };
  await withEndpoint(
    options,
    async (endpoint) => {
      const catalog = await describeAll(endpoint, options);
      const { method, service, registry } = findItem(catalog, name, "topic");
      const desc = service.desc.methods.find(({ name: own }) => method.fullName.endsWith(`/${own}`))!;
      const topic = { name: method.fullName, desc, registry, isKeyed: method.kind === "topic" };
      const posts = postsOf(topic, first, second);
      const publisher = (await endpoint.publisher(method as never)) as KeyedPublisher<unknown, unknown> &
        UnkeyedPublisher<unknown>;
      await untilSubscribed(publisher, method.fullName, options);
      let published = 0;
      for await (const { key, message } of posts) {
        for (let i = 0; i < options.count; i++) {
          if (published++ > 0 && options.interval > 0) await sleep(options.interval);
          const result =
            key === undefined
              ? await publisher.publishWhenReady(message)
              : await publisher.publishWhenReady(key, message);
          if (options.json === true) printJson(result);
          else if (Array.isArray(posts) && options.count === 1)
            printLine(`published to ${result.matched} of ${publisher.subscribers} subscribers`);
        }
      }
      const isTold = options.json === true || (Array.isArray(posts) && options.count === 1);
      if (!isTold) printLine(`published ${published} messages`);
      await publisher.close();
    },
    publishing,
  );
}

async function untilSubscribed(
  publisher: KeyedPublisher<unknown, unknown> | UnkeyedPublisher<unknown>,
  topic: string,
  { subscribers, timeout }: PubOptions,
): Promise<void> {
  try {
    await publisher.ready({ subscribers, timeoutMs: timeout });
  } catch (error) {
    if (!(error instanceof IpcError) || error.code !== "DEADLINE_EXCEEDED") throw error;
    const text = `${topic} has ${publisher.subscribers} subscribers after ${timeout} ms, of ${subscribers} that are waited for`;
    throw new CliError("DEADLINE_EXCEEDED", text, { isSearch: true, cause: error });
  }
}
