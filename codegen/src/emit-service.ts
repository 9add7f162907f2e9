import type { GeneratedFile, Printable, Target } from "@bufbuild/protoplugin";
import { getComments } from "@bufbuild/protoplugin";
import { methodFingerprint, serviceFingerprint } from "./fingerprint.js";
import { CONTRACT, type MessageTypes } from "./message-types.js";
import type { Scope, ServiceNames } from "./names.js";
import type { MethodModel, ServiceModel } from "./read-service.js";

/** A service and what its code is made with. */
export interface ServiceInput {
  readonly f: GeneratedFile;
  readonly target: Target;
  readonly scope: Scope;
  readonly types: MessageTypes;
  readonly names: ServiceNames;
  readonly service: ServiceModel;
}

interface Emitter extends ServiceInput {
  /** The comments of the methods, made once: each takes a walk over all comments of the file. */
  readonly methodDocs: ReadonlyMap<MethodModel, Printable>;
  readonly serviceComment: string;
}

const DEFINITION_TYPES = {
  unary: "UnaryMethod",
  serverStreaming: "ServerStreamingMethod",
  clientStreaming: "ClientStreamingMethod",
  bidiStreaming: "BidiStreamingMethod",
  oneWay: "OneWayMethod",
  topic: "KeyedTopic",
  unkeyedTopic: "UnkeyedTopic",
} as const;

/**
 * Prints a service: the interfaces of its client, its handlers and its definition, and the definition itself.
 * JavaScript has no interfaces; a declaration has no values.
 */
export function emitService(input: ServiceInput): void {
  const { f, target, names, service } = input;
  const emitter: Emitter = {
    ...input,
    methodDocs: new Map(service.methods.map((method) => [method, f.jsDoc(method.desc, "  ")])),
    serviceComment: readComment(service),
  };
  if (target !== "js") {
    emitInterface(emitter, names.client, `Calls ${service.desc.typeName}.`, clientSignature);
    emitInterface(emitter, names.handlers, `Serves ${service.desc.typeName}.`, handlerSignature);
    emitDefinitionInterface(emitter);
  }
  if (target === "dts") {
    f.print(f.jsDoc(service.desc));
    f.print(f.export("declare const", names.service), `: ${names.definition};`);
    f.print();
    return;
  }
  emitSchema(emitter);
  for (const method of service.methods) emitMethod(emitter, method);
  emitDefinition(emitter);
}

/** Prints an interface with one member for each method that is called; topics are not. */
function emitInterface(
  emitter: Emitter,
  name: string,
  summary: string,
  signature: (emitter: Emitter, method: MethodModel) => Printable | undefined,
): void {
  const { f, service, methodDocs } = emitter;
  f.print(serviceDoc(emitter, summary));
  f.print(f.export("interface", name), " {");
  for (const method of service.methods) {
    const printed = signature(emitter, method);
    if (printed === undefined) continue;
    f.print(methodDocs.get(method) ?? "");
    // In an interface, a bare `new(` is not a method.
    f.print("  ", method.localName === "new" ? f.string("new") : method.localName, printed, ";");
  }
  f.print("}");
  f.print();
}

function clientSignature(emitter: Emitter, method: MethodModel): Printable | undefined {
  const { f, scope, types } = emitter;
  const init = types.init(method.desc.input);
  const shape = types.shape(method.desc.output);
  const options: Printable = ["options?: ", f.import("CallOptions", CONTRACT, true)];
  const one: Printable = ["(request: ", init, ", ", options, "): "];
  const many: Printable = [
    "(requests: ",
    generic(scope.local("AsyncIterable"), init),
    " | ",
    generic(scope.local("Iterable"), init),
    ", ",
    options,
    "): ",
  ];
  switch (method.is.kind) {
    case "unary":
      return [one, generic(scope.local("Promise"), shape)];
    case "serverStreaming":
      return [one, generic(scope.local("AsyncIterable"), shape)];
    case "clientStreaming":
      return [many, generic(scope.local("Promise"), shape)];
    case "bidiStreaming":
      return [many, generic(scope.local("AsyncIterable"), shape)];
    case "oneWay":
      return [one, generic(scope.local("Promise"), "void")];
    case "topic":
    case "unkeyedTopic":
      return undefined;
  }
}

function handlerSignature(emitter: Emitter, method: MethodModel): Printable | undefined {
  const { f, scope, types } = emitter;
  const shape = types.shape(method.desc.input);
  const init = types.init(method.desc.output);
  const call: Printable = ["call: ", f.import("CallContext", CONTRACT, true)];
  const one: Printable = ["(request: ", shape, ", ", call, "): "];
  const many: Printable = ["(requests: ", generic(scope.local("AsyncIterable"), shape), ", ", call, "): "];
  const single: Printable = [generic(scope.local("Promise"), init), " | ", init];
  const stream: Printable = [
    generic(scope.local("AsyncIterable"), init),
    " | ",
    generic(scope.local("Iterable"), init),
  ];
  switch (method.is.kind) {
    case "unary":
      return [one, single];
    case "serverStreaming":
      return [one, stream];
    case "clientStreaming":
      return [many, single];
    case "bidiStreaming":
      return [many, stream];
    case "oneWay":
      return [one, generic(scope.local("Promise"), "void"), " | void"];
    case "topic":
    case "unkeyedTopic":
      return undefined;
  }
}

function emitDefinitionInterface(emitter: Emitter): void {
  const { f, names, service, types, methodDocs } = emitter;
  const base: Printable = [
    f.import("ServiceDefinition", CONTRACT, true),
    `<${names.client}, ${names.handlers}>`,
  ];
  f.print(serviceDoc(emitter, `The methods and topics of ${service.desc.typeName}.`));
  f.print(f.export("interface", names.definition), " extends ", base, " {");
  for (const method of service.methods) {
    const { desc, localName, is } = method;
    const messages = [desc.input, desc.output].flatMap((message): Printable[] => [
      types.init(message),
      types.shape(message),
    ]);
    f.print(methodDocs.get(method) ?? "");
    f.print(
      `  readonly ${localName}: `,
      generic(f.import(DEFINITION_TYPES[is.kind], CONTRACT, true), ...messages),
      ";",
    );
  }
  f.print("}");
  f.print();
}

/** Prints where the schema is, which nobody reads unless a peer asks for it. */
function emitSchema(emitter: Emitter): void {
  const { f, target, types, service } = emitter;
  const type: Printable = target === "ts" ? [": ", f.import("ServiceSchema", CONTRACT, true)] : [];
  const fingerprint = serviceFingerprint(service.methods);
  f.print("const ", schemaConstant(emitter), type, " = ", types.schema(service.desc.file, fingerprint), ";");
  f.print();
}

/** Prints a method as a constant of its own, so that the service can hold it by name and in its list. */
function emitMethod(emitter: Emitter, method: MethodModel): void {
  const { f, target, names, types } = emitter;
  const { desc, fullName, localName, idempotency, is } = method;
  const type: Printable = target === "ts" ? [`: ${names.definition}[`, f.string(localName), "]"] : [];
  f.print("const ", methodConstant(emitter, method), type, " = {");
  f.print("  kind: ", f.string(is.kind), ",");
  f.print("  fullName: ", f.string(fullName), ",");
  f.print("  localName: ", f.string(localName), ",");
  f.print("  request: ", types.codec(desc.input), ",");
  f.print("  response: ", types.codec(desc.output), ",");
  f.print("  idempotency: ", f.string(idempotency), ",");
  f.print("  fingerprint: ", f.string(methodFingerprint(method)), ",");
  f.print("  schema: ", schemaConstant(emitter), ",");
  if (is.kind === "topic" || is.kind === "unkeyedTopic") {
    const { depth, overflow, blockTimeoutMs, history } = is.rules;
    const rules = `{ depth: ${depth}, overflow: "${overflow}", blockTimeoutMs: ${blockTimeoutMs}, history: ${history} }`;
    f.print("  rules: ", rules, ",");
  }
  if (is.kind === "topic") {
    const known = target === "ts" ? types.names(desc.input) : undefined;
    const check: Printable = known === undefined ? "" : [" satisfies (", known, ")[]"];
    f.print("  keyFields: ", f.array(is.keyFields.map((name) => f.string(name))), check, ",");
  }
  f.print("};");
  f.print();
}

function emitDefinition(emitter: Emitter): void {
  const { f, target, names, service } = emitter;
  const type = target === "ts" ? `: ${names.definition}` : "";
  f.print(f.jsDoc(service.desc));
  f.print(f.export("const", names.service), `${type} = {`);
  f.print("  $typeName: ", f.string(service.desc.typeName), ",");
  f.print("  $schema: ", schemaConstant(emitter), ",");
  f.print("  $methods: ", f.array(service.methods.map((method) => methodConstant(emitter, method))), ",");
  for (const method of service.methods) {
    f.print(`  ${method.localName}: `, methodConstant(emitter, method), ",");
  }
  f.print("};");
  f.print();
}

/** The constant's name holds a dollar sign, which no name of a schema does. */
function methodConstant({ scope, service }: Emitter, method: MethodModel): Printable {
  return scope.local(`${service.desc.name}$${method.localName}`);
}

function schemaConstant({ scope, service }: Emitter): Printable {
  return scope.local(`${service.desc.name}$$schema`);
}

/** The comment of an interface: what it is for, then the service's own comment. */
function serviceDoc({ f, service, serviceComment }: Emitter, summary: string): Printable {
  const desc = service.desc;
  const deprecated = desc.deprecated || desc.file.deprecated ? "\n@deprecated" : "";
  return f.jsDoc(`${summary}${serviceComment}\n\n@generated from ${desc.toString()}${deprecated}`);
}

function readComment({ desc }: ServiceModel): string {
  const leading = getComments(desc).leading?.trimEnd();
  return leading === undefined ? "" : `\n\n${leading.replace(/^ /gm, "")}`;
}

function generic(type: Printable, ...parameters: readonly Printable[]): Printable {
  const separated = parameters.flatMap((parameter, index): Printable[] =>
    index === 0 ? [parameter] : [", ", parameter],
  );
  return [type, "<", ...separated, ">"];
}
