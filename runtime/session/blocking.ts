import { IpcError } from "../error.js";
import { HeldRecords } from "./held-records.js";
import { withOwnHead } from "./receive.js";
import type { Session } from "./session.js";
import type { Stream } from "./stream.js";

/**
 * Blocks the thread until the call has ended, by its deadline at the latest. The session's link must be able to do that,
 * and must not be delivering records now.
 */
export function blockUntilEnded(session: Session, stream: Stream): void {
  session.held ??= new HeldRecords(session);
  const { held } = session;
  held.stream = stream;
  try {
    withOwnHead(() => {
      while (stream.receiver !== undefined) step(session, stream);
    });
  } finally {
    // What is held is delivered at the end of the turn: the call has made sure that there is one.
    held.stream = undefined;
    if (held.isEmpty) session.held = undefined;
  }
}

/** Sends what is to be sent, and receives once. */
function step(session: Session, stream: Stream): void {
  session.send();
  if (stream.receiver === undefined) return;
  if (!stream.opened && !session.opener.hasRoom(stream)) {
    // What would make room is for others, and is held: waiting for it would be for ever.
    const text = `a call that blocks cannot wait for its turn: ${session.opener.describeWait(stream)}`;
    session.cancelStream(stream, new IpcError("RESOURCE_EXHAUSTED", text));
    return;
  }
  const leftMs = stream.deadlineMs - session.config.now();
  if (leftMs <= 0) {
    session.expire(stream);
    return;
  }
  const hasReceived = session.link.receiveBlocking!(leftMs);
  // Without an end to the time, nothing but the end of the link ends the wait.
  if (!hasReceived && leftMs === Number.POSITIVE_INFINITY) {
    session.cancelStream(stream, new IpcError("UNAVAILABLE", "the link has ended"));
  }
}

/**
 * Receives once, as if the event loop ran, for at most `timeoutMs` and until the next deadline of a call. Returns whether
 * the session still goes on.
 */
export function receiveOnce(session: Session, timeoutMs: number): boolean {
  withOwnHead(() => {
    session.flush();
    if (session.closedBy !== undefined) return;
    const nowMs = session.config.now();
    session.link.receiveBlocking!(Math.max(0, Math.min(timeoutMs, session.nextDeadlineMs - nowMs)));
    session.tick(session.config.now());
  });
  return session.closedBy === undefined;
}
