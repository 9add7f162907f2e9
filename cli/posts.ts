import { isatty } from "node:tty";
import type { DescMethod, JsonValue, Message, Registry } from "@bufbuild/protobuf";
import { CliError } from "./cli-error.js";
import { messageOf, parseJson, readMessage } from "./json-input.js";
import { stdinLines } from "./stdin-lines.js";

/** A topic, by its schema. */
interface Topic {
  readonly name: string;
  readonly desc: DescMethod;
  readonly registry: Registry;
  readonly isKeyed: boolean;
}

interface Post {
  readonly key: Message | undefined;
  readonly message: Message;
}

const STDIN = 0;

/** What is to be published: one message that is given, read at once, or those that come in by the input. */
export function postsOf(
  topic: Topic,
  first: string | undefined,
  second: string | undefined,
): readonly Post[] | AsyncIterable<Post> {
  const { desc, registry, isKeyed } = topic;
  const [keyText, messageText] = isKeyed ? [first, second] : [undefined, first];
  const hasInput = !isatty(STDIN);
  if ((!isKeyed && second !== undefined) || (messageText === undefined && !hasInput)) {
    const takes = isKeyed ? "a key and a message" : "a message, and no key";
    throw new CliError(
      "INVALID_ARGUMENT",
      `${topic.name} takes ${takes}, as JSON, or messages from the input`,
    );
  }
  const key = keyText === undefined ? undefined : readMessage(desc.input, keyText, registry, "the key");
  if (messageText !== undefined)
    return [{ key, message: readMessage(desc.output, messageText, registry, "the message") }];
  return isKeyed && key === undefined ? keyedLines(topic) : messageLines(topic, key);
}

/** A message on each line. */
async function* messageLines({ desc, registry }: Topic, key: Message | undefined): AsyncGenerator<Post> {
  for await (const { text, number } of stdinLines())
    yield { key, message: readMessage(desc.output, text, registry, `line ${number}`) };
}

/** Lines as `sub --json` prints them, of which the key and the message count. */
async function* keyedLines({ desc, registry }: Topic): AsyncGenerator<Post> {
  for await (const { text, number } of stdinLines()) {
    const line = `line ${number}`;
    const { key, message } = readKeyed(text, line);
    yield {
      key: messageOf(desc.input, key, registry, `the key of ${line}`),
      message: messageOf(desc.output, message, registry, `the message of ${line}`),
    };
  }
}

function readKeyed(text: string, what: string): { readonly key: JsonValue; readonly message: JsonValue } {
  const value = parseJson(text, what);
  if (
    typeof value !== "object" ||
    value === null ||
    Array.isArray(value) ||
    !("key" in value && "message" in value)
  )
    throw new CliError(
      "INVALID_ARGUMENT",
      `${what} has no "key" and "message": give a key, or lines of both`,
    );
  return { key: value["key"]!, message: value["message"]! };
}
