import type { ReceivedBlock } from "../../../transports/transport.js";
import { type BorrowedMessage, MIN_BORROWED_BYTES } from "../borrow.js";
import { privateCopy } from "../private-copy.js";
import type { MessageView, ViewType } from "./view.js";

const NO_NAMES: readonly string[] = [];

/** A view of a message that was received, in memory that nobody else writes to. */
export function privateView(
  type: ViewType<MessageView>,
  bytes: Uint8Array,
  start: number,
  end: number,
  mayAlias: boolean,
  maxNesting: number,
): MessageView {
  if (mayAlias) return new type(bytes, start, end, maxNesting);
  const copy = privateCopy(bytes, start, end);
  return new type(copy, 0, copy.length, maxNesting);
}

/** A view of the message in a block: in the sender's memory, where that is worth it, or of a copy. */
export function borrowView(
  type: ViewType<MessageView>,
  block: ReceivedBlock,
  maxNesting: number,
): BorrowedMessage {
  const lent = block.length >= MIN_BORROWED_BYTES ? block.borrow() : undefined;
  const bytes = lent?.bytes ?? block.copy();
  return { message: new type(bytes, 0, bytes.length, maxNesting), lent, names: NO_NAMES };
}
