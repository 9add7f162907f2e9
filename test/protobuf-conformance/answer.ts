import {
  type DescMessage,
  fromJsonString,
  type Message,
  type Registry,
  toJsonString,
} from "@bufbuild/protobuf";
import type { Codec } from "../../runtime/codec/codec.js";
import { BrokenCodec, decodeThrough, encodeThrough } from "./through-codec.js";

// Values of enums in conformance.proto.
const PROTOBUF_FORMAT = 1;
const JSON_FORMAT = 2;
const IGNORE_UNKNOWN = 3;

/** conformance.ConformanceRequest. */
export interface Request {
  readonly payload: {
    readonly case: "protobufPayload" | "jsonPayload" | "jspbPayload" | "textPayload" | undefined;
    readonly value?: unknown;
  };
  readonly requestedOutputFormat: number;
  readonly messageType: string;
  readonly testCategory: number;
}

/** The result of conformance.ConformanceResponse. */
export type Result =
  | { readonly case: "protobufPayload"; readonly value: Uint8Array }
  | {
      readonly case: "jsonPayload" | "parseError" | "serializeError" | "runtimeError" | "skipped";
      readonly value: string;
    };

/** How many messages went through the codec, and what did not. */
export interface Tally {
  decoded: number;
  encoded: number;
  /** Reasons, and how often there was each. */
  readonly skipped: Map<string, number>;
}

export interface Testee {
  readonly registry: Registry;
  readonly codecOf: (schema: DescMessage) => Codec<unknown, unknown>;
  readonly tally: Tally;
}

/** Answers a request of the runner. Binary goes through the codec both ways; JSON is what protobuf-es makes of it. */
export function answer(request: Request, testee: Testee): Result {
  const { payload, requestedOutputFormat: format, messageType } = request;
  // The runner asks first which of its tests it should not make.
  if (messageType === "conformance.FailureSet") return { case: "protobufPayload", value: new Uint8Array(0) };
  const isKnownInput = payload.case === "protobufPayload" || payload.case === "jsonPayload";
  if (!isKnownInput || (format !== PROTOBUF_FORMAT && format !== JSON_FORMAT)) {
    const reason = `${payload.case} to format ${format}: no text format here`;
    testee.tally.skipped.set(reason, (testee.tally.skipped.get(reason) ?? 0) + 1);
    return { case: "skipped", value: reason };
  }
  const schema = testee.registry.getMessage(messageType);
  if (schema === undefined) return { case: "runtimeError", value: `there is no ${messageType}` };
  let message: Message;
  try {
    message = readMessage(request, schema, testee);
  } catch (error) {
    return { case: error instanceof BrokenCodec ? "runtimeError" : "parseError", value: String(error) };
  }
  try {
    if (format === JSON_FORMAT) {
      return { case: "jsonPayload", value: toJsonString(schema, message, { registry: testee.registry }) };
    }
    const value = encodeThrough(testee.codecOf(schema), message);
    testee.tally.encoded++;
    return { case: "protobufPayload", value };
  } catch (error) {
    return { case: error instanceof BrokenCodec ? "runtimeError" : "serializeError", value: String(error) };
  }
}

function readMessage({ payload, testCategory }: Request, schema: DescMessage, testee: Testee): Message {
  if (payload.case === "jsonPayload") {
    const ignoreUnknownFields = testCategory === IGNORE_UNKNOWN;
    return fromJsonString(schema, payload.value as string, {
      registry: testee.registry,
      ignoreUnknownFields,
    });
  }
  const message = decodeThrough(testee.codecOf(schema), payload.value as Uint8Array);
  testee.tally.decoded++;
  return message;
}
