import type { BlockingCallOptions, ClientOptions } from "./api.js";
import { type BackOffRules, backOffRules } from "./back-off.js";
import type { CallOptions } from "./call-options.js";
import { borrowedResponse, eachResponse, type Use } from "./client-borrowing.js";
import { callBlocking } from "./client-blocking.js";
import {
  abortError,
  asRequestError,
  boundsOf,
  boundsReached,
  type CallBounds,
  type ClientCall,
  manyResponses,
  singleResponse,
} from "./client-call.js";
import type { Connection } from "./connection.js";
import { type AnyMethod, isTopic, type ServiceDefinition } from "./definition.js";
import { IpcError } from "./error.js";
import type { Host } from "./host.js";
import { applyInterceptors, type InterceptedCall, type Interceptor, type Messages } from "./interceptor.js";
import { Metadata } from "./metadata.js";
import { toWire } from "./metadata-wire.js";
import { type Method, type RepeatConfig, repeating } from "./reconnect.js";
import { hasManyRequests, hasManyResponses } from "./server-call.js";
import { checkDefinition } from "./services.js";

/** How a client gets at a connection to its target. */
export interface Channel {
  readonly host: Host;
  /** Whom it leads to, for messages. */
  readonly target: string;
  /** The connection, if there is one to use. */
  current(): Connection | undefined;
  /** Dials if need be. Waits no longer than the bounds say, and keeps nothing of who waited. Rejects with `IpcError`. */
  connect(bounds: CallBounds): Promise<Connection>;
  /** Whether its endpoint is closed, so that no connection will come. */
  isOver(): boolean;
}

type BorrowingMethod = (request: unknown, use: Use, options?: CallOptions) => Promise<unknown>;
type EachMethod = (request: unknown, use: Use, options?: CallOptions) => Promise<void>;
type BlockingMethod = (request: unknown, options?: BlockingCallOptions) => unknown;

/** Makes the client object of a service: one function per method. */
export function makeClient(
  service: ServiceDefinition<unknown, unknown>,
  channel: Channel,
  options: ClientOptions,
  interceptors: readonly Interceptor[],
): object {
  const methods: Record<string, Method> = {};
  const rules = backOffRules(options.reconnect);
  const { host } = channel;
  const repeat = (given: BackOffRules): RepeatConfig => {
    return { host, rules: given, timeoutMs: options.timeoutMs, isOver: () => channel.isOver() };
  };
  for (const method of checkDefinition(service).$methods) {
    if (isTopic(method)) continue;
    const repeated = (once: Method): Method =>
      rules === undefined ? once : repeating(method, once, repeat(rules));
    const plain = repeated(plainMethod(method, channel, options.timeoutMs));
    const all = [...interceptors, ...(options.interceptors ?? [])];
    const called = all.length === 0 ? plain : interceptedMethod(method, plain, all, options.timeoutMs);
    if (method.kind === "unary") {
      const sync = blockingMethod(method, channel, all, options.timeoutMs);
      const borrow =
        all.length === 0
          ? borrowingMethod(method, channel, options.timeoutMs, repeated)
          : copyingMethod(called);
      Object.defineProperties(called, { sync: { value: sync }, borrow: { value: borrow } });
    }
    if (hasManyResponses(method)) {
      const isDirect = all.length === 0 && rules === undefined;
      const each = (borrows: boolean): EachMethod =>
        isDirect ? eachMethod(method, channel, options.timeoutMs, borrows) : iteratingMethod(called);
      Object.defineProperties(called, { forEach: { value: each(false) }, borrow: { value: each(true) } });
    }
    methods[method.localName] = called;
  }
  return methods;
}

function plainMethod(method: AnyMethod, channel: Channel, timeoutMs: number | undefined): Method {
  const { host } = channel;
  if (method.kind === "oneWay") {
    return (request, options) =>
      sendOneWay(method, channel, request, options, boundsOf(options, timeoutMs, host));
  }
  const respond = hasManyResponses(method) ? manyResponses : singleResponse;
  return (request, options) => {
    const bounds = boundsOf(options, timeoutMs, host);
    return respond(method, options, bounds, (call) => startOn(channel, method, call, bounds, request));
  };
}

/** The same method, for one who reads its response where the peer wrote it. */
function borrowingMethod(
  method: AnyMethod,
  channel: Channel,
  timeoutMs: number | undefined,
  repeated: (once: Method) => Method,
): BorrowingMethod {
  return async (request, use, options) => {
    const call = repeated((message, attempt) => {
      const bounds = boundsOf(attempt, timeoutMs, channel.host);
      return borrowedResponse(method, attempt, bounds, use, (started) =>
        startOn(channel, method, started, bounds, message),
      );
    });
    // What the user throws is no outcome of the call: it is not repeated for it.
    const used = (await call(request, options)) as () => unknown;
    return used();
  };
}

/** The same method, for one who is called with each of its responses. */
function eachMethod(
  method: AnyMethod,
  channel: Channel,
  timeoutMs: number | undefined,
  borrows: boolean,
): EachMethod {
  return async (request, use, options) => {
    const bounds = boundsOf(options, timeoutMs, channel.host);
    await eachResponse(method, options, bounds, borrows, use, (call) =>
      startOn(channel, method, call, bounds, request),
    );
  };
}

/** As `eachMethod`, where the responses pass through others first: they are private. */
function iteratingMethod(called: Method): EachMethod {
  return async (request, use, options) => {
    for await (const response of called(request, options) as AsyncIterable<unknown>) await use(response);
  };
}

/** As `borrowingMethod`, where the response is seen by others first: it is private. */
function copyingMethod(called: Method): BorrowingMethod {
  return async (request, use, options) => use(await called(request, options));
}

function startOn(
  channel: Channel,
  method: AnyMethod,
  call: ClientCall,
  bounds: CallBounds,
  request: unknown,
): void {
  const many = hasManyRequests(method);
  const connection = channel.current();
  if (connection === undefined) void startLater(channel, call, bounds, many, request);
  else begin(connection, call, many, request);
}

/** The same method, blocking the thread. */
function blockingMethod(
  method: AnyMethod,
  channel: Channel,
  interceptors: readonly Interceptor[],
  timeoutMs: number | undefined,
): BlockingMethod {
  return (request, options) => {
    if (interceptors.length > 0) {
      const text = `${method.fullName}: the client has interceptors, which a call that blocks cannot wait for`;
      throw new IpcError("FAILED_PRECONDITION", text);
    }
    const bounds = boundsOf(options, timeoutMs, channel.host);
    const connection = channel.current();
    if (connection !== undefined) return callBlocking(connection, method, request, options, bounds);
    const text = `${method.fullName}: there is no link to ${channel.target} yet; await endpoint.connect(${JSON.stringify(channel.target)}) first`;
    throw new IpcError("FAILED_PRECONDITION", text);
  };
}

function begin(connection: Connection, call: ClientCall, many: boolean, request: unknown): void {
  if (many) call.startWithMany(connection, request as AsyncIterable<unknown>);
  else call.startWith(connection, request);
}

async function startLater(
  channel: Channel,
  call: ClientCall,
  bounds: CallBounds,
  many: boolean,
  request: unknown,
): Promise<void> {
  try {
    begin(await channel.connect(bounds), call, many, request);
  } catch (error) {
    call.failBeforeStart(IpcError.from(error));
  }
}

async function sendOneWay(
  method: AnyMethod,
  channel: Channel,
  request: unknown,
  options: CallOptions | undefined,
  bounds: CallBounds,
): Promise<void> {
  const connection = channel.current() ?? (await channel.connect(bounds));
  const { session } = connection;
  const { deadlineMs, signals } = bounds;
  const reached = boundsReached(bounds, channel.host);
  if (reached !== undefined) throw reached;
  const metadata = toWire(options?.metadata, session.checkOpenable());
  await new Promise<void>((resolve, reject) => {
    let isSettled = false;
    let onAbort: (() => void) | undefined;
    const onSent = (error: IpcError | undefined): void => {
      isSettled = true;
      if (onAbort !== undefined) for (const signal of signals) signal.removeEventListener("abort", onAbort);
      if (error === undefined) resolve();
      else reject(error);
    };
    try {
      const open = { method: method.fullName, deadlineMs, metadata, isLast: true, manyResponses: false };
      const stream = session.opener.openOneWay(open, session.message.set(method.request, request), onSent);
      if (isSettled || signals.length === 0) return;
      onAbort = () => {
        const aborted = signals.find((signal) => signal.aborted);
        if (aborted !== undefined) stream.cancel(abortError(aborted));
      };
      for (const signal of signals) signal.addEventListener("abort", onAbort, { once: true });
    } catch (error) {
      onSent(asRequestError(error, method));
    }
  });
}

/** Waits for a connection no longer than the call may. */
export function within<T>(host: Host, bounds: CallBounds, connecting: Promise<T>): Promise<T> {
  const { deadlineMs, signals } = bounds;
  if (deadlineMs === Number.POSITIVE_INFINITY && signals.length === 0) return connecting;
  return new Promise((resolve, reject) => {
    let cancelTimer: (() => void) | undefined;
    const onAbort = (): void => {
      const aborted = signals.find((signal) => signal.aborted);
      if (aborted !== undefined) done(() => reject(abortError(aborted)));
    };
    const done = (settle: () => void): void => {
      cancelTimer?.();
      for (const signal of signals) signal.removeEventListener("abort", onAbort);
      settle();
    };
    if (deadlineMs !== Number.POSITIVE_INFINITY) {
      const expire = (): void =>
        done(() => reject(new IpcError("DEADLINE_EXCEEDED", "the deadline passed while connecting")));
      cancelTimer = host.setTimer(
        expire,
        Math.min(2_147_483_647, Math.max(1, Math.ceil(deadlineMs - host.now()))),
      );
    }
    for (const signal of signals) signal.addEventListener("abort", onAbort, { once: true });
    onAbort();
    connecting.then(
      (value) => done(() => resolve(value)),
      (error: unknown) => done(() => reject(error)),
    );
  });
}

/** The same method with interceptors around it. */
function interceptedMethod(
  method: AnyMethod,
  plain: Method,
  interceptors: readonly Interceptor[],
  defaultTimeoutMs: number | undefined,
): Method {
  const many = hasManyResponses(method);
  const run = (request: unknown, options: CallOptions | undefined): Promise<Messages> => {
    const header = new Metadata();
    const trailer = new Metadata();
    const innermost: InterceptedCall = async ({ messages, metadata, signal, timeoutMs }) => {
      const output = plain(messages.kind === "one" ? messages.message : messages.stream, {
        ...options,
        metadata,
        signal,
        timeoutMs,
        onHeader(received) {
          for (const [key, value] of received) header.append(key, value);
          options?.onHeader?.(received);
        },
        onTrailer(received) {
          for (const [key, value] of received) trailer.append(key, value);
          options?.onTrailer?.(received);
        },
      });
      return many
        ? { header, trailer, messages: { kind: "many", stream: output as AsyncIterable<unknown> } }
        : { header, trailer, messages: { kind: "one", message: await output } };
    };
    const { metadata } = options ?? {};
    return applyInterceptors(
      interceptors,
      innermost,
    )({
      side: "client",
      method,
      // A copy: what interceptors add is for this call alone.
      metadata: new Metadata(metadata),
      signal: options?.signal,
      timeoutMs: options?.timeoutMs ?? defaultTimeoutMs,
      call: undefined,
      messages: hasManyRequests(method)
        ? { kind: "many", stream: toAsync(request as AsyncIterable<unknown> | Iterable<unknown>) }
        : { kind: "one", message: request },
    }).then((response) => response.messages);
  };
  if (!many) return async (request, options) => messageOf(await run(request, options));
  return (request, options) => {
    const response = run(request, options);
    // Whoever reads the stream gets the error; that nobody has begun to read yet is no fault.
    response.catch(() => undefined);
    return streamOf(response);
  };
}

function messageOf(messages: Messages): unknown {
  if (messages.kind === "one") return messages.message;
  throw new TypeError("an interceptor answered with a stream where one message is due");
}

/** The stream of a response that is on its way. Given up before it is read, it is ended all the same. */
function streamOf(response: Promise<Messages>): AsyncIterableIterator<unknown> {
  const stream = readStream(response);
  let isBegun = false;
  return {
    next() {
      isBegun = true;
      return stream.next();
    },
    return() {
      // A generator that has not begun ends without a look at what it would have read.
      if (!isBegun) void response.then(giveUp, () => undefined);
      isBegun = true;
      return stream.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

async function giveUp(messages: Messages): Promise<void> {
  if (messages.kind === "many") await messages.stream[Symbol.asyncIterator]().return?.();
}

async function* readStream(response: Promise<Messages>): AsyncGenerator<unknown, void, undefined> {
  const result = await response;
  if (result.kind === "one")
    throw new TypeError("an interceptor answered with one message where a stream is due");
  yield* result.stream;
}

async function* toAsync(
  items: AsyncIterable<unknown> | Iterable<unknown>,
): AsyncGenerator<unknown, void, undefined> {
  yield* items;
}
