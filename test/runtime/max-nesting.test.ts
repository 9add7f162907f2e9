import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import { expect, it } from "vitest";
import { IpcError, type ServiceDefinition } from "../../index.js";
import type { CallContext, CallOptions, KeyedTopic, UnaryMethod } from "../../runtime/codegen-v1/index.js";
import { errorDetail } from "../../runtime/error-detail.js";
import { protobufEs } from "../../runtime/codec/protobuf-es.js";
import { collect, failureOf } from "../harness/failure.js";
import { makeWorld } from "../harness/world.js";

type Init = MessageInitShape<typeof ValueSchema>;

/** Lists in lists: a value and 2 levels for each list. */
function nested(levels: number): Value {
  let value = create(ValueSchema, { kind: { case: "numberValue", value: 1 } });
  for (let level = 1; level < levels; level += 2) {
    value = create(ValueSchema, { kind: { case: "listValue", value: { values: [value] } } });
  }
  return value;
}

interface DeepClient {
  swap(request: Init, options?: CallOptions): Promise<Value>;
}
interface DeepHandlers {
  swap(request: Value, call: CallContext): Init;
}

const value = protobufEs(ValueSchema);
const swap: UnaryMethod<Init, Value, Init, Value> = {
  kind: "unary",
  fullName: "test.Deep/Swap",
  localName: "swap",
  request: value,
  response: value,
  idempotency: "unknown",
};
const topic: KeyedTopic<Init, Value, Init, Value> = {
  ...swap,
  kind: "topic",
  fullName: "test.Deep/Topic",
  localName: "topic",
  rules: { depth: 8, overflow: "dropOldest", blockTimeoutMs: 0, history: 0 },
  keyFields: [],
};
const Deep: ServiceDefinition<DeepClient, DeepHandlers> = { $typeName: "test.Deep", $methods: [swap, topic] };

const world = makeWorld("memory");
const limits = { maxNesting: 5 };
const tooDeep = "google.protobuf.Value is nested more than 5 deep, the limit (maxNesting)";

it("a request above the server's limit is refused by name, and the link lives", async () => {
  const { endpoint, address } = await world.listen({ limits });
  endpoint.serve(Deep, { swap: (request) => request });
  const client = (await world.open()).client(Deep, address);
  expect(await client.swap(nested(5))).toEqual(nested(5));
  expect(await failureOf(client.swap(nested(7)))).toMatchObject({
    code: "RESOURCE_EXHAUSTED",
    rawMessage: `the request: ${tooDeep}`,
    maybeExecuted: false,
  });
  expect(await client.swap(nested(3))).toEqual(nested(3));
  expect(endpoint.counters).toMatchObject({ callsHandled: 2, linksRejected: 0 });
});

it("a response above the client's limit fails the call by name", async () => {
  const { endpoint, address } = await world.listen();
  endpoint.serve(Deep, { swap: ({ kind }) => nested(Number(kind.value)) });
  const client = (await world.open({ limits })).client(Deep, address);
  const levels = (count: number): Init => ({ kind: { case: "numberValue", value: count } });
  expect(await client.swap(levels(5))).toEqual(nested(5));
  expect(await failureOf(client.swap(levels(7)))).toMatchObject({
    code: "RESOURCE_EXHAUSTED",
    rawMessage: `the response: ${tooDeep}`,
    maybeExecuted: true,
  });
  expect(await client.swap(levels(3))).toEqual(nested(3));
});

it("messages are nested deeper than by default where both sides allow it", async () => {
  const deeper = { maxNesting: 201 };
  const { endpoint, address } = await world.listen({ limits: deeper });
  endpoint.serve(Deep, { swap: (request) => request });
  const willing = (await world.open({ limits: deeper })).client(Deep, address);
  expect(await willing.swap(nested(201))).toEqual(nested(201));
  const other = (await world.open()).client(Deep, address);
  expect((await failureOf(other.swap(nested(201)))).message).toContain("more than 100 deep");
});

it("a filter above the publisher's limit is refused by name", async () => {
  const { endpoint, address } = await world.listen({ limits });
  const publisher = await endpoint.publisher(topic);
  const client = await world.open();
  const refused = client.subscribe(topic, nested(7), { from: address });
  expect(await failureOf(collect(refused))).toMatchObject({
    code: "RESOURCE_EXHAUSTED",
    rawMessage: `the filter: ${tooDeep}`,
  });
  await client.subscribe(topic, nested(5), { from: address }).ready();
  expect(publisher.subscribers).toBe(1);
});

it("a publication above the subscriber's limit ends its subscription by name", async () => {
  const { endpoint, address } = await world.listen();
  const publisher = await endpoint.publisher(topic);
  const shallow = await world.open({ limits });
  const subscription = shallow.subscribe(topic, nested(1), { from: address });
  await subscription.ready();
  publisher.publish(nested(1), nested(5));
  publisher.publish(nested(1), nested(7));
  const received: Value[] = [];
  const reading = (async () => {
    for await (const { message } of subscription) received.push(message);
  })();
  expect(await failureOf(reading)).toMatchObject({
    code: "RESOURCE_EXHAUSTED",
    rawMessage: `test.Deep/Topic: a publication: ${tooDeep}`,
  });
  expect(received).toEqual([nested(5)]);
});

it("a key above the subscriber's limit ends its subscription by name", async () => {
  const { endpoint, address } = await world.listen();
  const publisher = await endpoint.publisher(topic);
  const shallow = await world.open({ limits });
  const subscription = shallow.subscribe(topic, nested(1), { from: address });
  await subscription.ready();
  publisher.publish(nested(7), nested(1));
  expect((await failureOf(collect(subscription))).rawMessage).toBe(`test.Deep/Topic: a key: ${tooDeep}`);
});

it("details of errors are decoded within the default, whatever the endpoint's limit", () => {
  const details = [99, 101].map((levels) => errorDetail(value, nested(levels)));
  expect(new IpcError("ABORTED", "", { details }).findDetails(value)).toEqual([nested(99)]);
});
