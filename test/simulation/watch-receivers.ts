import type { Session } from "../../runtime/session/session.js";
import type { Stream } from "../../runtime/session/stream.js";
import type { StreamReceiver } from "../../runtime/session/stream-receiver.js";
import type { World } from "./world.js";

/** The users of the calls that a session opens, and whether they were told of the end. */
const unsettled = new WeakMap<Session, Set<Stream>>();

/** How many calls of a session have not been settled. */
export function unsettledCalls(session: Session): number {
  return unsettled.get(session)?.size ?? 0;
}

/**
 * Holds the session to the contract of `StreamReceiver` for the calls that it opens: `onEnd` exactly once, nothing after
 * it. `onOpened` is told the id of each stream before its first record leaves this turn.
 */
export function watchReceivers(
  session: Session,
  world: World,
  onOpened: (streamId: number, user: object) => void,
): void {
  const open = new Set<Stream>();
  unsettled.set(session, open);
  const users = new Map<Stream, StreamReceiver>();
  const openCall = session.opener.openCall.bind(session.opener);
  session.opener.openCall = (request, payload, receiver) => {
    let isEnded = false;
    let stream: Stream | undefined;
    const during = (what: string): void => {
      if (isEnded) world.report(`${what} after onEnd, in a call of ${request.method}`);
    };
    const watched: StreamReceiver = {
      onHeaders(metadata) {
        during("onHeaders");
        receiver.onHeaders(metadata);
      },
      onMessage(bytes, start, end, mayAlias, keyId, seq, lost, timeUs) {
        during("onMessage");
        receiver.onMessage(bytes, start, end, mayAlias, keyId, seq, lost, timeUs);
      },
      onKey(keyId, bytes, start, end) {
        during("onKey");
        receiver.onKey(keyId, bytes, start, end);
      },
      onLost(keyId, seq, lost) {
        during("onLost");
        receiver.onLost(keyId, seq, lost);
      },
      onLast: () => receiver.onLast(),
      onCancel: (reason) => receiver.onCancel(reason),
      onEnd(error, trailer) {
        during("onEnd");
        isEnded = true;
        if (stream !== undefined) open.delete(stream);
        receiver.onEnd(error, trailer);
      },
      onSendable() {
        receiver.onSendable();
      },
    };
    stream = openCall(request, payload, watched);
    if (!isEnded) open.add(stream);
    if (stream.id > 0) onOpened(stream.id, receiver);
    else users.set(stream, receiver);
    return stream;
  };
  const add = session.streams.add.bind(session.streams);
  // Calls that waited get their ids later.
  session.streams.add = (stream) => {
    const user = users.get(stream);
    if (user !== undefined) onOpened(stream.id, user);
    users.delete(stream);
    add(stream);
  };
}
