import type { ReceivedBlock } from "../../transports/transport.js";
import { IpcError } from "../error.js";
import { FrameHead, readFrameHead } from "../wire/frame-head.js";
import { decodeHello } from "../wire/hello.js";
import { FIRST_OPTIONAL_KIND, Flag, Kind, MAX_KEY_BYTES, MAX_METHOD_BYTES } from "../wire/kinds.js";
import { metadataContentBytes, PAIR_BYTES, readMetadata, type WireMetadata } from "../wire/metadata.js";
import { decodeStatus } from "../wire/status.js";
import { WireError } from "../wire/wire-error.js";
import { appendPart, beginAssembly, endAssembly } from "./assembly.js";
import type { Session } from "./session.js";
import { errorOf } from "./status.js";
import { NO_METADATA, Stream } from "./stream.js";

let head = new FrameHead();

/** For a receiver that receives records itself, of another link: the head of the record that it was told of stays. */
export function withOwnHead(run: () => void): void {
  const outer = head;
  head = new FrameHead();
  try {
    run();
  } finally {
    head = outer;
  }
}

/** One record came, perhaps with its payload in a block. Whatever is wrong with it ends the link with a reason. */
export function receiveRecord(
  session: Session,
  bytes: Uint8Array,
  start: number,
  end: number,
  block: ReceivedBlock | undefined,
): void {
  try {
    readFrameHead(head, bytes, start, end);
    checkHead(session, head, end - start);
    if (block !== undefined) takeBlock(session, head, block);
    dispatch(session, head, block);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    session.fail(error.message);
  }
}

function checkHead(session: Session, head: FrameHead, recordBytes: number): void {
  const { limits } = session.config;
  const headerBytes = recordBytes - Math.max(0, head.payloadBytes);
  if (headerBytes > limits.maxHeaderBytes) {
    throw new WireError(
      `a frame header of ${headerBytes} bytes; the limit is ${limits.maxHeaderBytes} (maxHeaderBytes)`,
    );
  }
}

/** The payload of the frame is in a block, which only frames with messages have. */
function takeBlock(session: Session, head: FrameHead, block: ReceivedBlock): void {
  // The sender learns that it is given back when the link is flushed.
  session.handler.onDirty();
  const { kind } = head;
  if (head.payloadBytes >= 0) throw new WireError(`frame kind ${kind} has a payload and a block`);
  const isKnown = kind < FIRST_OPTIONAL_KIND;
  if (isKnown && kind !== Kind.DATA && kind !== Kind.OPEN && kind !== Kind.END) {
    throw new WireError(`frame kind ${kind} has a block, and no message`);
  }
  head.payloadBytes = block.length;
}

function dispatch(session: Session, head: FrameHead, block: ReceivedBlock | undefined): void {
  if (session.peer === undefined && head.kind !== Kind.HELLO && head.kind !== Kind.CLOSE) {
    throw new WireError(`the first frame has kind ${head.kind}, not ${Kind.HELLO} (HELLO)`);
  }
  switch (head.kind) {
    case Kind.DATA:
      onData(session, head, block);
      return;
    case Kind.OPEN:
      onOpen(session, head, block);
      return;
    case Kind.END:
      onEnd(session, head, block);
      return;
    case Kind.CREDIT:
      onCredit(session, head);
      return;
    case Kind.HEADERS: {
      const stream = ownStream(session, head);
      if (stream !== undefined) stream.receiver?.onHeaders(metadataOf(session, head));
      return;
    }
    case Kind.CANCEL:
      onCancel(session, head);
      return;
    case Kind.KEY:
      onKey(session, head);
      return;
    case Kind.LOST: {
      const stream = ownStream(session, head);
      if (stream !== undefined) stream.receiver?.onLost(head.keyId, head.seq, head.lost);
      return;
    }
    case Kind.METHOD:
      onMethod(session, head);
      return;
    case Kind.DRAIN:
      session.peerDrains(head.streamId);
      return;
    case Kind.HELLO:
      onHello(session, head);
      return;
    case Kind.CLOSE:
      onClose(session, head);
      return;
    default:
      if (head.kind < FIRST_OPTIONAL_KIND) throw new WireError(`frame kind ${head.kind} is not known`);
  }
}

function onHello(session: Session, head: FrameHead): void {
  if (session.peer !== undefined) throw new WireError("a second HELLO");
  if (head.payloadStart < 0) throw new WireError("a HELLO without payload");
  session.accept(decodeHello(head.bytes, head.payloadStart, head.payloadEnd));
}

function onClose(session: Session, head: FrameHead): void {
  const status = statusIn(head);
  const reason = status === undefined ? undefined : errorOf(status, true, undefined);
  session.close(reason ?? new IpcError("UNAVAILABLE", "the peer closed the link"));
}

function onMethod(session: Session, head: FrameHead): void {
  const { peerMethods } = session;
  const limit = session.config.limits.maxMethods;
  if (peerMethods.size >= limit) throw new WireError(`more than ${limit} methods are announced (maxMethods)`);
  if (head.methodId === 0 || head.methodStart === head.methodEnd)
    throw new WireError("a METHOD without id or name");
  if (peerMethods.has(head.methodId)) throw new WireError(`method id ${head.methodId} is announced twice`);
  const size = head.methodEnd - head.methodStart;
  if (size > MAX_METHOD_BYTES)
    throw new WireError(`a method's name of ${size} bytes; the limit is ${MAX_METHOD_BYTES}`);
  peerMethods.set(head.methodId, head.method());
}

function onOpen(session: Session, head: FrameHead, block: ReceivedBlock | undefined): void {
  const id = head.streamId;
  if (!session.isPeerId(id) || id <= session.lastPeerStreamId) {
    throw new WireError(
      `OPEN with stream id ${id}, which is not the next of the peer's (last ${session.lastPeerStreamId})`,
    );
  }
  session.lastPeerStreamId = id;
  const method = methodOf(session, head);
  const metadata = metadataOf(session, head);
  if (session.isBeyondDrain(id)) return;
  takeCredit(session, head);
  const stream = acceptStream(session, head);
  if (head.payloadBytes >= 0) countOpenBytes(session, stream, head.payloadBytes);
  const isLast = isLastOf(stream, head);
  // The clock is asked only where there is a deadline: a twentieth of the time for a small one-way call went there.
  if (stream.deadlineMs !== Number.POSITIVE_INFINITY && stream.deadlineMs <= session.config.now()) {
    stream.lastSeen = isLast;
    stream.cancelled = new IpcError("DEADLINE_EXCEEDED", "the deadline passed before the call was started");
    stream.finish(stream.cancelled, undefined, NO_METADATA, false);
    return;
  }
  stream.receiver = session.handler.onOpen(stream, method, metadata);
  if (head.payloadBytes >= 0 && !stream.finished) receivePayload(session, stream, head, block, true);
  if (isLast) receiveLast(stream);
}

function methodOf(session: Session, head: FrameHead): string {
  if (head.methodId === 0) {
    if (head.methodStart === head.methodEnd) throw new WireError("an OPEN without method");
    return head.method();
  }
  const method = session.peerMethods.get(head.methodId);
  if (method === undefined) throw new WireError(`method id ${head.methodId} was not announced`);
  return method;
}

/** The peer counts what it has in flight; that it does so rightly is checked here. */
function takeCredit(session: Session, head: FrameHead): void {
  const { limits } = session.config;
  if ((head.flags & Flag.ONE_WAY) !== 0) {
    if (session.peerOneWayMessages < 1 || session.peerOneWayBytes <= 0) {
      throw new WireError(
        `a one-way call without credit (oneWayMessages ${limits.oneWayMessages}, oneWayBytes ${limits.oneWayBytes})`,
      );
    }
    session.peerOneWayMessages--;
    return;
  }
  if (session.peerCallsInFlight >= limits.maxCalls) {
    throw new WireError(`more than ${limits.maxCalls} calls in flight (maxCalls)`);
  }
  if (session.peerCallBytes <= 0) {
    throw new WireError(`a call without credit for its message (callBytes ${limits.callBytes})`);
  }
  session.peerCallsInFlight++;
}

function acceptStream(session: Session, head: FrameHead): Stream {
  const { limits } = session.peer!;
  const isOneWay = (head.flags & Flag.ONE_WAY) !== 0;
  const messages = limits.initialMessages + head.messages;
  const bytes = limits.initialBytes + head.creditBytes;
  const stream = new Stream(
    session,
    head.streamId,
    false,
    isOneWay,
    deadlineOf(session, head),
    messages,
    bytes,
  );
  session.streams.add(stream);
  session.addDeadline(stream);
  return stream;
}

/** When the call expires, in the session's time. */
function deadlineOf(session: Session, head: FrameHead): number {
  const { sharedClockOffsetMs } = session;
  if (head.timeUs > 0 && sharedClockOffsetMs !== undefined) return head.timeUs / 1000 - sharedClockOffsetMs;
  return head.timeoutUs > 0 ? session.config.now() + head.timeoutUs / 1000 : Number.POSITIVE_INFINITY;
}

function onData(session: Session, head: FrameHead, block: ReceivedBlock | undefined): void {
  const stream = session.streams.get(head.streamId);
  if (stream === undefined) {
    ignoreEnded(session, head);
    return;
  }
  if (stream.isCaller ? stream.isOneWay : stream.lastSeen) throw new WireError("DATA after the last message");
  // Whoever is told of the message may end the stream, and the head is shared: what follows is read out first.
  const isLast = !stream.isCaller && isLastOf(stream, head);
  if (stream.isOneWay && stream.finished) {
    countOpenBytes(session, stream, Math.max(0, head.payloadBytes));
    if (isLast) receiveLast(stream);
    return;
  }
  if (stream.cancelled !== undefined) return;
  if (head.payloadBytes >= 0) receivePayload(session, stream, head, block, false);
  if (isLast) receiveLast(stream);
}

function receiveLast(stream: Stream): void {
  stream.lastSeen = true;
  if (!stream.finished) stream.receiver?.onLast();
  else if (stream.isOneWay) stream.session.forget(stream);
}

/** Whether no further request message follows; of a one-way call there is one alone. */
function isLastOf(stream: Stream, head: FrameHead): boolean {
  return (head.flags & Flag.LAST) !== 0 || (stream.isOneWay && (head.flags & Flag.MORE) === 0);
}

/** Takes a message or a part of one, of an OPEN or DATA frame. */
function receivePayload(
  session: Session,
  stream: Stream,
  head: FrameHead,
  block: ReceivedBlock | undefined,
  isOpen: boolean,
): void {
  const { flags, payloadBytes: size } = head;
  const isWhole = (flags & Flag.MORE) === 0;
  const limit = session.config.limits.maxMessageBytes;
  let { assembly } = stream;
  if (!isOpen) {
    if (assembly === undefined && !stream.takeMessage()) {
      throw new WireError(withoutCredit(session, stream));
    }
    if (assembly?.isOpening === true) {
      const left = stream.isOneWay ? session.peerOneWayBytes : session.peerCallBytes;
      // An honest peer opened with credit, which one message may overdraw.
      if (left <= -limit)
        throw new WireError(`first messages beyond ${stream.isOneWay ? "oneWayBytes" : "callBytes"}`);
      countOpenBytes(session, stream, size);
    } else {
      stream.takeBytes(size);
    }
  }
  if (assembly === undefined && isWhole) {
    if (size > limit) refuseMessage(stream, size, limit);
    else deliver(stream, head, block);
    return;
  }
  assembly ??= stream.assembly = beginAssembly(isOpen, head);
  if (assembly.length + size > limit) {
    refuseMessage(stream, assembly.length + size, limit);
    return;
  }
  if (block === undefined) appendPart(assembly, head.bytes, head.payloadStart, head.payloadEnd);
  else appendPart(assembly, block.copy(), 0, size);
  if (!isWhole) return;
  stream.assembly = undefined;
  const { bytes, length, keyId, seq, lost, timeUs } = assembly;
  stream.receiver?.onMessage(bytes, 0, length, false, keyId, seq, lost, timeUs);
  endAssembly(assembly);
}

/** Hands a whole message to the stream's user. */
function deliver(stream: Stream, head: FrameHead, block: ReceivedBlock | undefined): void {
  const { receiver } = stream;
  const { keyId, seq, lost, timeUs } = head;
  if (receiver === undefined) return;
  if (block === undefined) {
    receiver.onMessage(head.bytes, head.payloadStart, head.payloadEnd, false, keyId, seq, lost, timeUs);
  } else if (receiver.onBlock === undefined) {
    receiver.onMessage(block.copy(), 0, block.length, true, keyId, seq, lost, timeUs);
  } else {
    receiver.onBlock(block, keyId, seq, lost, timeUs);
  }
}

/** Bytes of a call's first message are taken off the link's balance, not the stream's. */
function countOpenBytes(session: Session, stream: Stream, size: number): void {
  stream.openBytes += size;
  if (stream.isOneWay) session.peerOneWayBytes -= size;
  else session.peerCallBytes -= size;
}

/** A message is too large: the call fails, the link lives. */
function refuseMessage(stream: Stream, size: number, limit: number): void {
  const text = `a message of ${size} bytes or more is above the limit of ${limit} bytes (maxMessageBytes)`;
  const error = new IpcError("RESOURCE_EXHAUSTED", text);
  if (stream.isCaller) stream.cancel(error);
  else stream.cancelCallee(error);
}

function onEnd(session: Session, head: FrameHead, block: ReceivedBlock | undefined): void {
  const stream = ownStream(session, head);
  if (stream === undefined) return;
  const trailer = metadataOf(session, head);
  const status = statusIn(head);
  const wasStarted = (head.flags & Flag.NOT_STARTED) === 0;
  const error = status === undefined ? undefined : errorOf(status, wasStarted, undefined);
  if (stream.receiver !== undefined && head.payloadBytes >= 0) {
    if (!stream.takeLastMessage()) throw new WireError(withoutCredit(session, stream));
    const limit = session.config.limits.maxMessageBytes;
    // Fields that mean nothing in END are ignored, whatever stands there.
    head.keyId = head.seq = head.lost = head.timeUs = 0;
    if (head.payloadBytes > limit) refuseMessage(stream, head.payloadBytes, limit);
    else deliver(stream, head, block);
  }
  session.endStream(stream, error, trailer);
}

function onCancel(session: Session, head: FrameHead): void {
  const stream = session.streams.get(head.streamId);
  if (stream === undefined || stream.isCaller) {
    ignoreEnded(session, head);
    return;
  }
  const status = statusIn(head);
  const reason = status === undefined ? undefined : errorOf(status, true, undefined);
  stream.cancelCallee(reason ?? new IpcError("CANCELLED", "the caller cancelled the call"));
}

function onCredit(session: Session, head: FrameHead): void {
  if ((head.flags & Flag.ONE_WAY) !== 0) {
    if (head.streamId !== 0)
      throw new WireError(`credit for one-way calls on stream ${head.streamId}, not 0`);
    session.opener.addOneWayCredit(head.messages, head.creditBytes);
    return;
  }
  const stream = session.streams.get(head.streamId);
  if (stream === undefined) {
    ignoreEnded(session, head);
    return;
  }
  stream.sendMessages += head.messages;
  stream.sendBytes += head.creditBytes;
  if (stream.sendMessages > Number.MAX_SAFE_INTEGER || stream.sendBytes > Number.MAX_SAFE_INTEGER) {
    throw new WireError("the sum of credit is above 2^53 - 1");
  }
  session.wait(stream);
}

function onKey(session: Session, head: FrameHead): void {
  const stream = ownStream(session, head);
  if (stream?.receiver === undefined) return;
  const limit = session.config.limits.maxKeys;
  if (head.keyId === 0 || head.payloadStart < 0) throw new WireError("a KEY without id or key");
  const size = head.payloadEnd - head.payloadStart;
  if (size > MAX_KEY_BYTES) throw new WireError(`a key of ${size} bytes; the limit is ${MAX_KEY_BYTES}`);
  if (++stream.announcedKeys > limit) {
    stream.cancel(new IpcError("RESOURCE_EXHAUSTED", `the topic has more than ${limit} keys (maxKeys)`));
    return;
  }
  stream.receiver.onKey(head.keyId, head.bytes, head.payloadStart, head.payloadEnd);
}

/** The stream of a frame that only the callee sends. */
function ownStream(session: Session, head: FrameHead): Stream | undefined {
  const stream = session.streams.get(head.streamId);
  if (stream?.isCaller === true) return stream;
  if (stream !== undefined)
    throw new WireError(`frame kind ${head.kind} on stream ${head.streamId} from its caller`);
  ignoreEnded(session, head);
  return undefined;
}

/** Frames may cross the end of their stream; a stream that never was is an error. */
function ignoreEnded(session: Session, head: FrameHead): void {
  const id = head.streamId;
  const wasOpened = session.isPeerId(id) ? id <= session.lastPeerStreamId : session.opener.wasOpened(id);
  if (id === 0 || !wasOpened)
    throw new WireError(`frame kind ${head.kind} on stream ${id}, which was never opened`);
}

function statusIn(head: FrameHead): ReturnType<typeof decodeStatus> | undefined {
  return head.statusStart < 0 ? undefined : decodeStatus(head.bytes, head.statusStart, head.statusEnd);
}

function metadataOf(session: Session, head: FrameHead): readonly WireMetadata[] {
  if (head.metadata.length === 0) return NO_METADATA;
  const limit = session.config.limits.maxMetadataBytes;
  const pairs = head.metadata.length / 2;
  if (pairs * PAIR_BYTES > limit) {
    throw new WireError(
      `${pairs} pairs of metadata of ${PAIR_BYTES} bytes or more; the limit is ${limit} (maxMetadataBytes)`,
    );
  }
  const metadata = readMetadata(head);
  const size = metadataContentBytes(metadata);
  if (size > limit)
    throw new WireError(`metadata of ${size} bytes; the limit is ${limit} (maxMetadataBytes)`);
  return metadata;
}

/** The message of an error about a message that the peer had no credit for. */
function withoutCredit(session: Session, stream: Stream): string {
  const { initialMessages, initialBytes, windowMessages, windowBytes } = session.config.limits;
  const first = `initialMessages ${initialMessages}, initialBytes ${initialBytes}`;
  const most = `windowMessages ${windowMessages}, windowBytes ${windowBytes}`;
  return `a message without credit on stream ${stream.id} (${first}; at most ${most})`;
}
