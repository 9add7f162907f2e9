import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { localNames } from "./names.js";
import { type OptionExtensions, readField, readOption } from "./option-extensions.js";
import type { Options } from "./options.js";
import { locateMethod, type Problem } from "./problems.js";
import { EMPTY, readTopic, type TopicRules } from "./read-topic.js";

/** What a method is for the runtime. */
export type MethodKind =
  | {
      readonly kind: "unary" | "serverStreaming" | "clientStreaming" | "bidiStreaming" | "oneWay";
    }
  | { readonly kind: "topic"; readonly rules: TopicRules; readonly keyFields: readonly string[] }
  | { readonly kind: "unkeyedTopic"; readonly rules: TopicRules };

/** A method, checked and named. */
export interface MethodModel {
  readonly desc: DescMethod;
  readonly localName: string;
  /** "package.Service/Method". */
  readonly fullName: string;
  readonly idempotency: "unknown" | "idempotent" | "noSideEffects";
  readonly is: MethodKind;
}

/** A service, checked and named. */
export interface ServiceModel {
  readonly desc: DescService;
  readonly methods: readonly MethodModel[];
}

/** Reads a service. What is wrong with it is added to `problems`; the result is then of no use. */
export function readService(
  desc: DescService,
  extensions: OptionExtensions,
  options: Options,
  problems: Problem[],
): ServiceModel {
  const names = localNames(desc.methods);
  const methods = desc.methods.map((method, index): MethodModel => {
    const fullName = `${desc.typeName}/${method.name}`;
    const refuse = (reason: string, optionNumber?: number): void => {
      problems.push({ location: locateMethod(method, optionNumber), subject: fullName, reason });
    };
    return {
      desc: method,
      localName: names[index]!,
      fullName,
      idempotency: readIdempotency(method),
      is: readKind(method, extensions, options, refuse),
    };
  });
  return { desc, methods };
}

function readKind(
  method: DescMethod,
  extensions: OptionExtensions,
  options: Options,
  refuse: (reason: string, optionNumber?: number) => void,
): MethodKind {
  const topic = readOption(method, extensions.topic);
  const methodOption = readOption(method, extensions.method);
  const oneWay = methodOption !== undefined && readField(methodOption, "one_way") === true;
  if (topic !== undefined && oneWay) {
    refuse("a method is either a topic or one-way, not both", extensions.topic?.number);
  } else if (oneWay) {
    checkOneWay(method, (reason) => refuse(reason, extensions.method?.number));
  }
  if (topic !== undefined) {
    return readTopic(method, topic, options, (reason) => refuse(reason, extensions.topic?.number));
  }
  if (oneWay) return { kind: "oneWay" };
  switch (method.methodKind) {
    case "unary":
      return { kind: "unary" };
    case "server_streaming":
      return { kind: "serverStreaming" };
    case "client_streaming":
      return { kind: "clientStreaming" };
    case "bidi_streaming":
      return { kind: "bidiStreaming" };
  }
}

function checkOneWay(method: DescMethod, refuse: (reason: string) => void): void {
  if (method.methodKind !== "unary") {
    refuse(`a one-way method streams nothing, and this one is ${method.methodKind.replace("_", "-")}`);
  }
  if (method.output.typeName !== EMPTY) {
    refuse(`a one-way method returns ${EMPTY}, and this one returns ${method.output.typeName}`);
  }
}

function readIdempotency(method: DescMethod): MethodModel["idempotency"] {
  switch (method.idempotency) {
    case MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS:
      return "noSideEffects";
    case MethodOptions_IdempotencyLevel.IDEMPOTENT:
      return "idempotent";
    default:
      return "unknown";
  }
}
