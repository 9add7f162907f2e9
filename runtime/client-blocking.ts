import type { BlockingCallOptions } from "./api.js";
import { type CallBounds, ClientCall, notOneResponse } from "./client-call.js";
import type { Connection } from "./connection.js";
import type { AnyMethod } from "./definition.js";
import { IpcError } from "./error.js";
import { blockUntilEnded } from "./session/blocking.js";

/**
 * Makes a unary call and blocks the thread until it has ended. Throws what the call would reject with, and as
 * `checkCanBlock` does.
 */
export function callBlocking(
  connection: Connection,
  method: AnyMethod,
  request: unknown,
  options: BlockingCallOptions | undefined,
  bounds: CallBounds,
): unknown {
  checkCanBlock(connection, method.fullName);
  const { session } = connection;
  const over = session.held?.over;
  if (over !== undefined) throw over;
  let response: unknown;
  let count = 0;
  let error: IpcError | undefined;
  const call = new ClientCall(method, options, bounds, {
    onResponse(message) {
      response = message;
      count++;
    },
    onDone(reason) {
      error = reason;
    },
  });
  const stream = call.startWith(connection, request);
  if (stream !== undefined) blockUntilEnded(session, stream);
  if (error !== undefined) throw error;
  if (count === 1) return response;
  throw notOneResponse(method, count);
}

/**
 * Throws `IpcError` where the thread cannot wait for the link: UNIMPLEMENTED, naming the transport, where its links cannot
 * do that; FAILED_PRECONDITION from within the delivery of one of its records.
 */
export function checkCanBlock({ session }: Connection, name: string): void {
  const { link } = session;
  if (link.receiveBlocking === undefined) {
    throw new IpcError(
      "UNIMPLEMENTED",
      `${name}: a link over ${link.info.transport} cannot block the thread`,
    );
  }
  if (session.isDelivering || session.held?.stream !== undefined) {
    const text = `${name}: the thread cannot wait for a link whose records it is being told of; await something first`;
    throw new IpcError("FAILED_PRECONDITION", text);
  }
}
