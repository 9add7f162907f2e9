import type { CallContext } from "./call-context.js";
import type { AnyMethod } from "./definition.js";
import type { Metadata } from "./metadata.js";

/** A call as interceptors see it. To change it, hand a changed copy to `next`. */
export interface InterceptedRequest {
  /** Whether the call is made here or handled here. */
  readonly side: "client" | "server";
  readonly method: AnyMethod;
  /** Request metadata; on the client it may be added to before `next`. */
  readonly metadata: Metadata;
  /** The `signal` option on the client; what `call.signal` is on the server. */
  readonly signal: AbortSignal | undefined;
  /**
   * On the client: how many milliseconds the call may take once the last interceptor has handed it on. A changed value
   * counts; the time that interceptors take comes on top. On the server: the milliseconds that were left until the
   * deadline before the first interceptor. Changing it there has no effect; the time that interceptors take is part of
   * the caller's, and `call.timeoutMs()` says what is left of it.
   */
  readonly timeoutMs: number | undefined;
  /** What the handler gets beside the request, on the server; `undefined` on the client. */
  readonly call: CallContext | undefined;
  /** One message, or for client-streaming and bidirectional methods all of them as they come. */
  readonly messages: Messages;
}

/** What comes back. */
export interface InterceptedResponse {
  /** Response metadata, as far as it has come; on the server it may still be added to. */
  readonly header: Metadata;
  /** Trailing metadata, complete when the messages are. */
  readonly trailer: Metadata;
  /** One message, or for server-streaming and bidirectional methods all of them as they come. One-way: `undefined`. */
  readonly messages: Messages;
}

/** The messages of one direction of a call, decoded. */
export type Messages =
  | { readonly kind: "one"; readonly message: unknown }
  | { readonly kind: "many"; readonly stream: AsyncIterable<unknown> };

/** Carries a call out. */
export type InterceptedCall = (request: InterceptedRequest) => Promise<InterceptedResponse>;

/**
 * Wraps calls, on either side: gets the next step and returns the step that takes its place, for each call anew. Of
 * several, the first is the outermost. Topics are not intercepted.
 */
export type Interceptor = (next: InterceptedCall) => InterceptedCall;

/** The call with all interceptors around it. */
export function applyInterceptors(
  interceptors: readonly Interceptor[],
  call: InterceptedCall,
): InterceptedCall {
  return interceptors.reduceRight((next, interceptor) => interceptor(next), call);
}
