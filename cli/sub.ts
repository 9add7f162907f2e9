import { type Message, toJson } from "@bufbuild/protobuf";
import type { AnyTopic, Endpoint, Subscription } from "../index.js";
import { describeAll, findItem } from "./catalog.js";
import { type DialOptions, nameOf, withEndpoint } from "./endpoint.js";
import { readMessage } from "./json-input.js";
import { newsOf } from "./news.js";
import { jsonText, plainLine, printJson, printLine } from "./output.js";
import { placeText } from "./where.js";

interface SubOptions extends DialOptions {
  readonly to?: string;
  readonly count?: number;
  readonly latest?: boolean;
}

/** Prints what is published on a topic, from whomever, until it is interrupted or so many have come. */
export async function subscribe(name: string, filter: string, options: SubOptions): Promise<void> {
  await withEndpoint(options, async (endpoint) => {
    const found = findItem(await describeAll(endpoint, options), name, "topic");
    const { method, registry } = found;
    const desc = found.service.desc.methods.find(({ name: own }) => method.fullName.endsWith(`/${own}`))!;
    const key = readMessage(desc.input, filter, registry, "the filter");
    const stop = new AbortController();
    const onSignal = (): void => stop.abort();
    process.once("SIGINT", onSignal);
    process.once("SIGTERM", onSignal);
    if (found.described === undefined && options.json !== true) {
      const place = await placeText(options.domain);
      process.stderr.write(
        `nobody publishes ${found.method.fullName} yet: ${place}; protoipc ls shows who is there\n`,
      );
    }
    let count = 0;
    const topic = method as AnyTopic;
    try {
      const subscription = begin(endpoint, topic, key, options.to, stop.signal);
      const isNews = options.latest === true ? newsOf(topic, subscription) : () => true;
      for await (const publication of subscription) {
        const { seq, lost, publisher } = publication;
        const message = toJson(desc.output, publication.message as Message, { registry });
        const keyJson =
          publication.key === undefined
            ? undefined
            : toJson(desc.input, publication.key as Message, { registry });
        if (!isNews(publication, keyJson, message)) continue;
        const { name: own, pid, incarnation } = publisher;
        if (options.json === true) {
          printJson({ key: keyJson, message, seq, lost, publisher: { name: own, pid, incarnation } });
        } else {
          const from = nameOf({ name: own, address: `process ${pid}` });
          const gap = lost === 0 ? "" : `, ${lost} lost before it`;
          const keyText = keyJson === undefined ? "" : `${jsonText(keyJson)} `;
          printLine(`${keyText}${jsonText(message)}  (number ${seq} of ${plainLine(from)}${gap})`);
        }
        if (++count === options.count) break;
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    }
  });
}

function begin(
  endpoint: Endpoint,
  topic: AnyTopic,
  key: Message,
  from: string | undefined,
  signal: AbortSignal,
): Subscription<unknown, unknown> {
  const options = { from, signal };
  const subscription: unknown =
    topic.kind === "topic" ? endpoint.subscribe(topic, key, options) : endpoint.subscribe(topic, options);
  return subscription as Subscription<unknown, unknown>;
}
