import { type Message, toJson } from "@bufbuild/protobuf";
import { type AnyMethod, type Endpoint, Metadata } from "../index.js";
import { describeAll, type Found, findItem } from "./catalog.js";
import { CliError } from "./cli-error.js";
import { type DialOptions, withEndpoint } from "./endpoint.js";
import { readMessage } from "./json-input.js";
import { printJson, printMessage } from "./output.js";
import { stdinLines } from "./stdin-lines.js";
import { readerGone } from "./reader.js";

interface CallOptions extends DialOptions {
  readonly to?: string;
  readonly header: readonly string[];
}

type Method = (request: unknown, options: object) => unknown;

/** Calls a method, with the schema that its endpoint has. */
export async function call(name: string, json: readonly string[], options: CallOptions): Promise<void> {
  await withEndpoint(options, async (endpoint) => {
    const found = findItem(await describeAll(endpoint, options), name, "method");
    const method = found.method as AnyMethod;
    const desc = found.service.desc.method[method.localName]!;
    const settings = { metadata: metadataOf(options.header), timeoutMs: options.timeout };
    const run = callerOf(endpoint, found)[method.localName] as Method;
    const print = (message: unknown): void => {
      const value = toJson(desc.output, message as Message, { registry: found.registry });
      if (options.json === true) printJson(value);
      else printMessage(value);
    };
    const isMany = method.kind === "clientStreaming" || method.kind === "bidiStreaming";
    if (!isMany && json.length > 1) {
      throw new CliError(
        "INVALID_ARGUMENT",
        `${method.fullName} takes one request, and ${json.length} are given`,
      );
    }
    const one = (text: string, what: string): Message => readMessage(desc.input, text, found.registry, what);
    const many = (): Message[] => json.map((text, index) => one(text, `request ${index + 1}`));
    const request = isMany
      ? json.length > 0
        ? many()
        : requestsOf(one)
      : one(json[0] ?? "{}", "the request");
    switch (method.kind) {
      case "oneWay":
        await run(request, settings);
        return;
      case "unary":
      case "clientStreaming":
        print(await run(request, settings));
        return;
      case "serverStreaming":
      case "bidiStreaming": {
        // A stream may go on for as long as it likes.
        const { timeoutMs: _, ...unbounded } = settings;
        const responses = run(request, { ...unbounded, signal: readerGone }) as AsyncIterable<unknown>;
        for await (const message of responses) print(message);
      }
    }
  });
}

function callerOf(endpoint: Endpoint, { service, described }: Found): Record<string, unknown> {
  return endpoint.client(service, described?.address) as Record<string, unknown>;
}

async function* requestsOf(read: (text: string, what: string) => Message): AsyncGenerator<Message> {
  for await (const { text, number } of stdinLines()) yield read(text, `line ${number}`);
}

function metadataOf(headers: readonly string[]): Metadata {
  const metadata = new Metadata();
  for (const header of headers) {
    const colon = header.indexOf(":");
    if (colon < 1) throw new CliError("INVALID_ARGUMENT", `-H ${JSON.stringify(header)} is no key:value`);
    const [key, text] = [header.slice(0, colon).trim(), header.slice(colon + 1).trim()];
    metadata.append(key, key.endsWith("-bin") ? new Uint8Array(Buffer.from(text, "base64")) : text);
  }
  return metadata;
}
