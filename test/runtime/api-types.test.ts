import { expectTypeOf, test } from "vitest";
import { TopicMessageView, TopicMessageWriter } from "../../gen/test/v1/echo_inplace.js";
import type { CountReply, SayReply, SayRequest, TopicMessage } from "../../gen/test/v1/echo_pb.js";
import { Echo, type EchoClient } from "../../gen/test/v1/echo_protoipc.js";
import { ItemView, ItemWriter } from "../../gen/test/v1/keys_inplace.js";
import type {
  BorrowedPublication,
  BytesFieldOf,
  Endpoint,
  FieldLoan,
  Loan,
  Publication,
  PublisherOf,
  StreamCalls,
  UnaryCalls,
  WriterLoan,
} from "../../index.js";

// What follows is checked by the compiler, and never called.

function useClient(endpoint: Endpoint): void {
  const client = endpoint.client(Echo, "market");
  expectTypeOf(client).toExtend<EchoClient>();
  expectTypeOf(client.say.sync({ text: "x" }, { timeoutMs: 1 })).toEqualTypeOf<SayReply>();
  expectTypeOf(client.say({ text: "x" })).toEqualTypeOf<Promise<SayReply>>();
  expectTypeOf<keyof UnaryCalls<EchoClient>>().toEqualTypeOf<"say">();
  const length = client.say.borrow({ text: "x" }, ({ body }) => body.length, { timeoutMs: 1 });
  expectTypeOf(length).toEqualTypeOf<Promise<number>>();
  const later = client.say.borrow({ text: "x" }, async (reply) => reply.text);
  expectTypeOf(later).toEqualTypeOf<Promise<string>>();
  // @ts-expect-error: there is nothing to read a reply
  void client.say.borrow({ text: "x" });
  expectTypeOf<keyof StreamCalls<EchoClient>>().toEqualTypeOf<"count" | "chat">();
  for (const each of ["forEach", "borrow"] as const) {
    const over = client.count[each](
      { number: 1 },
      (reply) => void expectTypeOf(reply).toEqualTypeOf<CountReply>(),
      {
        timeoutMs: 1,
      },
    );
    expectTypeOf(over).toEqualTypeOf<Promise<void>>();
    const chat = client.chat[each]([{ text: "x" }], async ({ body }) => body.length);
    expectTypeOf(chat).toEqualTypeOf<Promise<void>>();
  }
  // @ts-expect-error: there is nothing to call
  void client.count.forEach({});
  // @ts-expect-error: one response
  void client.say.forEach({}, () => undefined);
  // @ts-expect-error: one response
  void client.sum.borrow([], () => undefined);
  // @ts-expect-error: a message of another type
  client.say.sync({ words: "x" });
  // @ts-expect-error: a call that blocks cannot be cancelled
  client.say.sync({}, { signal: AbortSignal.timeout(1) });
  // @ts-expect-error: many responses
  client.count.sync({});
  // @ts-expect-error: many requests
  client.sum.sync([]);
  // @ts-expect-error: no response
  client.note.sync({});
}

function useLoans(
  keyed: PublisherOf<typeof Echo.keyed>,
  unkeyed: PublisherOf<typeof Echo.plain>,
  request: SayRequest,
): void {
  const key = { name: "a", shard: 1 };
  expectTypeOf(keyed.drained()).toEqualTypeOf<Promise<void>>();
  expectTypeOf(unkeyed.drained({ timeoutMs: 5, signal: AbortSignal.timeout(1) })).toEqualTypeOf<
    Promise<void>
  >();
  expectTypeOf(keyed.loan(key, 10)).toEqualTypeOf<Loan>();
  expectTypeOf(unkeyed.loan(10)).toEqualTypeOf<Loan>();
  expectTypeOf<BytesFieldOf<TopicMessage>>().toEqualTypeOf<"body">();
  const loan = keyed.loan(key, 10, { field: "body" });
  expectTypeOf(loan).toExtend<FieldLoan<{ text?: string }>>();
  loan.publish({ text: "x" }, { usedBytes: 5 });
  unkeyed.loan(10, { field: "body", restBytes: 5 }).publish({ number: 1 });
  // @ts-expect-error: no field of bytes
  keyed.loan(key, 10, { field: "text" });
  // @ts-expect-error: the lent field
  loan.publish({ text: "x", body: new Uint8Array(1) });
  // @ts-expect-error: a number
  loan.publish({ text: 5 });
  expectTypeOf<BytesFieldOf<typeof request>>().toEqualTypeOf<"body">();
}

function useBorrowing(endpoint: Endpoint): void {
  const borrowing = endpoint.subscribe(Echo.keyed, {}, { from: "market", borrow: true });
  const plain = endpoint.subscribe(Echo.plain, { from: "market" });
  expectTypeOf(borrowing.receive()?.isBorrowed).toEqualTypeOf<boolean | undefined>();
  expectTypeOf(borrowing.receive()!.message).toEqualTypeOf<TopicMessage>();
  const over = plain.forEach((publication) => {
    expectTypeOf(publication).toEqualTypeOf<Publication<undefined, TopicMessage>>();
  });
  expectTypeOf(over).toEqualTypeOf<Promise<void>>();
  void borrowing.forEach(async ({ isBorrowed }) => {
    expectTypeOf(isBorrowed).toEqualTypeOf<boolean>();
  });
  expectTypeOf(plain.receive()).toEqualTypeOf<Publication<undefined, TopicMessage> | undefined>();
  expectTypeOf(endpoint.subscribe(Echo.plain, { from: "market", borrow: true }).receive()!).toEqualTypeOf<
    BorrowedPublication<undefined, TopicMessage>
  >();
  // @ts-expect-error: nothing is borrowed
  plain.receive()?.release();
}

function useInPlace(
  endpoint: Endpoint,
  keyed: PublisherOf<typeof Echo.keyed>,
  unkeyed: PublisherOf<typeof Echo.plain>,
): void {
  const key = { name: "a", shard: 1 };
  const loan = keyed.loan(key, 10, { writer: TopicMessageWriter });
  expectTypeOf(loan).toEqualTypeOf<WriterLoan<TopicMessageWriter>>();
  expectTypeOf(loan.message.reserveBody(5)).toEqualTypeOf<Uint8Array>();
  expectTypeOf(unkeyed.loan(10, { writer: TopicMessageWriter }).message).toEqualTypeOf<TopicMessageWriter>();
  // @ts-expect-error: the writer of another message
  keyed.loan(key, 10, { writer: ItemWriter });
  // @ts-expect-error: a text
  loan.message.text = 5;

  const viewed = endpoint.subscribe(Echo.keyed, {}, { from: "market", view: TopicMessageView });
  expectTypeOf(viewed.receive()!.message).toEqualTypeOf<TopicMessageView>();
  expectTypeOf(viewed.receive()!.message.$decode()).toEqualTypeOf<TopicMessage>();
  const view = TopicMessageView;
  const borrowed = endpoint.subscribe(Echo.plain, { from: "market", view, borrow: true });
  expectTypeOf(borrowed.receive()!).toEqualTypeOf<BorrowedPublication<undefined, TopicMessageView>>();
  endpoint.subscribe(Echo.plain, { view, filter: (message) => message.number > 5 });
  endpoint.subscribe(Echo.plain, { filter: ({ number, body }) => number > body.length });
  // @ts-expect-error: the view of another message
  endpoint.subscribe(Echo.keyed, {}, { from: "market", view: ItemView });
  // @ts-expect-error: a filter answers yes or no
  endpoint.subscribe(Echo.plain, { view, filter: (message) => message.number });
  // @ts-expect-error: a view is not written to
  viewed.receive()!.message.number = 5;
}

test("the types of clients, loans and borrowed publications hold", () => {
  expectTypeOf(useClient).toBeFunction();
  expectTypeOf(useLoans).toBeFunction();
  expectTypeOf(useBorrowing).toBeFunction();
  expectTypeOf(useInPlace).toBeFunction();
});
