import type { KeyedPublisher, PublishOptions, UnkeyedPublisher } from "../api.js";
import type { AnyTopic } from "../definition.js";
import type { LoanOptions } from "./open-loan.js";
import type { TopicPublisher } from "./publisher.js";

/** What users hold: with a key in front for a keyed topic, the message alone for one without. */
export function publisherApi(
  topic: AnyTopic,
  publisher: TopicPublisher,
): KeyedPublisher<unknown, unknown> | UnkeyedPublisher<unknown> {
  const shared = {
    get subscribers(): number {
      return publisher.subscribers;
    },
    ready: publisher.ready.bind(publisher),
    drained: publisher.drained.bind(publisher),
    close: () => publisher.close(),
    [Symbol.asyncDispose]: () => publisher.close(),
  };
  if (topic.kind === "topic") {
    return Object.defineProperties(
      {
        publish: (key: unknown, message: unknown) => publisher.publish(key, message),
        publishWhenReady: (key: unknown, message: unknown, options?: PublishOptions) =>
          publisher.publishWhenReady(key, message, options),
        loan: (key: unknown, maxBytes: number, options?: LoanOptions) =>
          publisher.loan(key, maxBytes, options),
      },
      Object.getOwnPropertyDescriptors(shared),
    ) as KeyedPublisher<unknown, unknown>;
  }
  return Object.defineProperties(
    {
      publish: (message: unknown) => publisher.publish(undefined, message),
      publishWhenReady: (message: unknown, options?: PublishOptions) =>
        publisher.publishWhenReady(undefined, message, options),
      loan: (maxBytes: number, options?: LoanOptions) => publisher.loan(undefined, maxBytes, options),
    },
    Object.getOwnPropertyDescriptors(shared),
  ) as UnkeyedPublisher<unknown>;
}
