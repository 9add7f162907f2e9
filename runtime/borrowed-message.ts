import type { ReceivedBlock } from "../transports/transport.js";
import { type BorrowedMessage, borrowMessage } from "./codec/borrow.js";
import type { Codec } from "./codec/codec.js";
import type { Session } from "./session/session.js";

/** As `borrowMessage`, for a call. Whose memory it is learns that it is given back when the link is flushed. */
export function borrowForCall(
  session: Session,
  codec: Codec<unknown, unknown>,
  block: ReceivedBlock,
  maxNesting: number | undefined,
): BorrowedMessage {
  const borrowed = borrowMessage(codec, block, maxNesting);
  const { lent } = borrowed;
  if (lent === undefined) return borrowed;
  const { bytes } = lent;
  const end = (): void => {
    lent.end();
    session.handler.onDirty();
  };
  return { ...borrowed, lent: { bytes, end } };
}
