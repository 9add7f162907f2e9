import type { BackOffPolicy } from "./back-off.js";
import type { CallOptions } from "./call-options.js";
import type { Interceptor } from "./interceptor.js";

/** What holds for every call of a client. */
export interface ClientOptions {
  /** Around every call of this client, the first one outermost, inside those of the endpoint. */
  readonly interceptors?: readonly Interceptor[] | undefined;
  /** The `timeoutMs` of calls that give none, in milliseconds, above 0. */
  readonly timeoutMs?: number | undefined;
  /**
   * Dials again, with pauses, where nobody is there or the link is lost, until a call's deadline (without one for as long
   * as it takes); true for the usual pauses. A call is made again only where it was certainly not executed, or where the
   * method's `idempotency_level` says that it may be repeated; never once a header or a response has come, or a request was
   * taken from an iterable. Interceptors see one call. Calls that block do not wait.
   */
  readonly reconnect?: boolean | BackOffPolicy | undefined;
}

/** What a call that blocks may be given: it cannot be cancelled, because nothing else runs meanwhile. */
export type BlockingCallOptions = Pick<CallOptions, "timeoutMs" | "metadata" | "onHeader" | "onTrailer">;

/** A unary method of a client, blocking the thread. */
export interface BlockingCall<Request, Reply> {
  /**
   * The same call, made at once, and waited for on this thread: neither timers nor any other code runs meanwhile. Meant
   * for worker threads and command-line tools. What comes for others on the link waits until this returns. Throws what
   * the call would reject with, and besides `IpcError` FAILED_PRECONDITION where there is no link yet (`connect` makes
   * one), where the client has interceptors, and from within a callback that is told of something on the same link;
   * UNIMPLEMENTED where the link's transport cannot do that; RESOURCE_EXHAUSTED where the call would have to wait for
   * others to end (`maxCalls`, `callBytes`).
   */
  sync(request: Request, options?: BlockingCallOptions): Reply;
}

/** A unary method of a client, whose reply is read where the peer wrote it. */
export interface BorrowingCall<Request, Reply> {
  /**
   * The same call, with a reply whose large `bytes` fields, from 16,384 bytes on, are the peer's memory: over shared memory
   * they are not copied. `use` is called once with the reply, and the fields may be read until it returns or, where it
   * returns a promise, until that settles; then they are empty, as they are when the link ends before. They are read-only
   * (writing to one ends the process), and the peer can change them at any time. Resolves with what `use` returns, and rejects
   * with what it throws or what the call would reject with. Where the transport lends no memory, and where the client has
   * interceptors, the fields are copies.
   */
  borrow<Result>(
    request: Request,
    use: (reply: Reply) => Result,
    options?: CallOptions,
  ): Promise<Awaited<Result>>;
}

/** A method of a client with many responses, which a function is called with. */
export interface EachResponseCall<Request, Response> {
  /**
   * The same call, begun at once. `use` is called with each response as it comes, in order: without a promise for each, so
   * that many small ones take less time than in a loop. Where it returns a promise, the next one waits for that, and the
   * server is held up in its turn. Resolves after the last response. Rejects with what the loop would throw, or with what
   * `use` threw or its promise rejected with, which cancels the call. What had come before an abort, a deadline or the loss of
   * the link is still handed over, and the error follows when the last of it is done with.
   *
   * `use` is called as a response comes, not from where the call was made: a store of `AsyncLocalStorage` is not there unless
   * `use` is bound to it (`AsyncResource.bind`), and before it has awaited something it cannot block the thread on the same
   * link (`sync`).
   */
  forEach(request: Request, use: (response: Response) => unknown, options?: CallOptions): Promise<void>;
  /**
   * As `forEach`, with responses whose large `bytes` fields, from 16,384 bytes on, are the peer's memory: over shared memory
   * they are not copied. The fields may be read until `use` returns or, where it returns a promise, until that settles; then
   * they are empty, as they are when the link ends before. They are read-only (writing to one ends the process), and the
   * peer can change them at any time. A response that waits for its turn when the call ends is copied. Where the transport
   * lends no memory, and where the client has interceptors or reconnects, the fields are copies.
   */
  borrow(request: Request, use: (response: Response) => unknown, options?: CallOptions): Promise<void>;
}

/**
 * What the methods of a client with many responses can do besides: `client.ticks.forEach(request, use)`,
 * `client.frames.borrow(request, use)`.
 */
export type StreamCalls<Client> = {
  readonly [Name in keyof Client as Client[Name] extends (
    request: never,
    options?: CallOptions,
  ) => AsyncIterable<unknown>
    ? Name
    : never]: Client[Name] extends (
    request: infer Request,
    options?: CallOptions,
  ) => AsyncIterable<infer Response>
    ? EachResponseCall<Request, Response>
    : never;
};

/** A generated client, and what its methods can do besides. */
export type ServiceClient<Client> = Client & UnaryCalls<Client> & StreamCalls<Client>;

/** What the unary methods of a client can do besides: `client.price.sync(request)`, `client.frame.borrow(request, read)`. */
export type UnaryCalls<Client> = {
  readonly [Name in keyof Client as IsUnary<Client[Name]> extends true ? Name : never]: Client[Name] extends (
    request: infer Request,
    options?: CallOptions,
  ) => Promise<infer Reply>
    ? BlockingCall<Request, Reply> & BorrowingCall<Request, Reply>
    : never;
};

/** One request and one reply. Methods of one way have no reply, and many requests come in an iterable. */
export type IsUnary<Method> = Method extends (request: never, options?: CallOptions) => Promise<void>
  ? false
  : Method extends (request: infer Request, options?: CallOptions) => Promise<unknown>
    ? [Request] extends [AsyncIterable<unknown> | Iterable<unknown>]
      ? false
      : true
    : false;
