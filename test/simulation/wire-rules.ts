import { fromBinary } from "@bufbuild/protobuf";
import {
  Flag,
  type Frame,
  FrameSchema,
  HelloSchema,
  Kind,
  type Limits,
} from "../../gen/protoipc/v1/wire_pb.js";
import { TopicAccount } from "./topic-account.js";

/** A stream as one side sees it, by the frames that this side has sent and received. */
export interface StreamView {
  readonly isCaller: boolean;
  readonly isOneWay: boolean;
  readonly method: string;
  sendMessages: number;
  sendBytes: number;
  /** Which message is under way, of which parts are still to come. */
  sending: "none" | "opening" | "message";
  receiving: "none" | "opening" | "message";
  openBytes: number;
  lastSent: boolean;
  headersSent: boolean;
  dataSent: boolean;
  /** What the other side may still send here. */
  grantedMessages: number;
  grantedBytes: number;
  readonly announcedKeys: Set<number>;
  /** Caller of a topic: what has come. */
  readonly topic: TopicAccount;
}

interface Side {
  limits: WireLimits | undefined;
  peerLimits: WireLimits | undefined;
  isClosed: boolean;
  lastOpened: number;
  readonly announced: Map<number, string>;
  /** The methods that the other side has announced here. */
  readonly known: Map<number, string>;
  callsInFlight: number;
  callBytes: number;
  oneWayMessages: number;
  oneWayBytes: number;
  /** What the other side may still send here as one-way calls. */
  grantedOneWayMessages: number;
  hasDrained: boolean;
  isPeerDraining: boolean;
  readonly streams: Map<number, StreamView>;
}

interface WireLimits {
  readonly maxMessageBytes: number;
  readonly maxCalls: number;
  readonly callBytes: number;
  readonly initialMessages: number;
  readonly initialBytes: number;
  readonly oneWayMessages: number;
  readonly oneWayBytes: number;
  readonly maxKeys: number;
  readonly maxMethods: number;
}

export type SideIndex = 0 | 1;

/** Who is told by the rules. */
export interface RulesUser {
  report(text: string): void;
  /** How many bytes each side may have granted above the initial ones. */
  readonly budgetBytes: readonly [number, number];
  /** The first message of a stream that the other side opened is here, whole. */
  onOpened(side: SideIndex, streamId: number, method: string): void;
}

/**
 * The rules of wire.proto for one link, checked from the frames alone: what each side may send, given what it has sent
 * and what has reached it. Side 0 dialled. Frames are read by protobuf's own code, not by the runtime's.
 */
export class WireRules {
  readonly sides: readonly [Side, Side] = [newSide(-1), newSide(0)];
  readonly #user: RulesUser;

  constructor(user: RulesUser) {
    this.#user = user;
  }

  /** A side hands a record to its link. */
  committed(index: SideIndex, record: Uint8Array): Frame {
    const frame = fromBinary(FrameSchema, record);
    const side = this.sides[index];
    const problem = this.#checkSent(index, side, frame);
    if (problem !== undefined) this.#user.report(`side ${index} sends ${describeFrame(frame)}: ${problem}`);
    return frame;
  }

  /** A record reaches a side. */
  delivered(index: SideIndex, record: Uint8Array): Frame {
    const frame = fromBinary(FrameSchema, record);
    const problem = this.#noteReceived(index, this.sides[index], frame);
    if (problem !== undefined)
      this.#user.report(`side ${index} receives ${describeFrame(frame)}: ${problem}`);
    return frame;
  }

  #checkSent(index: SideIndex, side: Side, frame: Frame): string | undefined {
    if (side.isClosed) return "a frame after CLOSE";
    if (frame.kind === Kind.HELLO) {
      if (side.limits !== undefined) return "a second HELLO";
      side.limits = limitsOf(fromBinary(HelloSchema, frame.payload!).limits!);
      side.grantedOneWayMessages = side.limits.oneWayMessages;
      return undefined;
    }
    if (side.limits === undefined) return "the first frame is no HELLO";
    switch (frame.kind) {
      case Kind.CLOSE:
        side.isClosed = true;
        return undefined;
      case Kind.METHOD:
        if (side.announced.has(frame.methodId)) return "announced twice";
        side.announced.set(frame.methodId, frame.method);
        return side.announced.size > side.peerLimits!.maxMethods
          ? "more methods than the peer takes"
          : undefined;
      case Kind.DRAIN:
        side.hasDrained = true;
        for (const [id, view] of side.streams) {
          if (!view.isCaller && id > Number(frame.streamId)) side.streams.delete(id);
        }
        return undefined;
      case Kind.OPEN:
        return this.#checkOpen(index, side, frame);
      case Kind.CREDIT:
        if ((frame.flags & Flag.ONE_WAY) !== 0) {
          side.grantedOneWayMessages += frame.messages;
          return side.grantedOneWayMessages > side.limits.oneWayMessages
            ? "more one-way calls than the limit"
            : undefined;
        }
        break;
    }
    return this.#checkOnStream(index, side, frame);
  }

  #checkOpen(index: SideIndex, side: Side, frame: Frame): string | undefined {
    const id = Number(frame.streamId);
    const peer = side.peerLimits;
    if (peer === undefined) return "before the peer's HELLO";
    if (side.hasDrained) return "this side has drained";
    if (side.isPeerDraining) return "the peer has drained";
    if (id % 2 !== 1 - index || id <= side.lastOpened) return `the last was ${side.lastOpened}`;
    side.lastOpened = id;
    const method = frame.methodId === 0 ? frame.method : side.announced.get(frame.methodId);
    if (method === undefined || method === "") return "the method was not announced";
    const isOneWay = (frame.flags & Flag.ONE_WAY) !== 0;
    const view = newView(true, isOneWay, method, side.limits!, peer);
    const size = frame.payload?.length ?? 0;
    if (isOneWay) {
      if (side.oneWayMessages < 1 || side.oneWayBytes <= 0) return "without one-way credit";
      side.oneWayMessages--;
      side.oneWayBytes -= size;
    } else {
      if (side.callsInFlight >= peer.maxCalls) return `${side.callsInFlight} calls are in flight`;
      if (side.callBytes <= 0) return "without credit for its message";
      side.callsInFlight++;
      side.callBytes -= size;
    }
    view.openBytes = size;
    view.grantedMessages += frame.messages;
    view.grantedBytes += Number(frame.bytes);
    view.lastSent = (frame.flags & Flag.LAST) !== 0;
    if ((frame.flags & Flag.MORE) !== 0) view.sending = "opening";
    if (!isOneWay || view.sending === "opening") side.streams.set(id, view);
    return this.#checkBudget(index, side);
  }

  #checkOnStream(index: SideIndex, side: Side, frame: Frame): string | undefined {
    const id = Number(frame.streamId);
    const view = side.streams.get(id);
    if (view === undefined) return "on a stream that is not, or is over";
    if (view.isOneWay && !view.isCaller) return "an answer to a one-way call";
    switch (frame.kind) {
      case Kind.DATA:
        return checkData(side, id, view, frame);
      case Kind.HEADERS:
        if (view.isCaller) return "from the caller";
        if (view.headersSent || view.dataSent) return "not the first frame of the answer";
        view.headersSent = true;
        return undefined;
      case Kind.END:
        if (view.isCaller) return "from the caller";
        if (view.sending !== "none" && frame.status === undefined) return "within a message";
        side.streams.delete(id);
        if (frame.payload !== undefined && !takeCredit(view, frame.payload.length))
          return "a message without credit";
        return undefined;
      case Kind.CANCEL:
        if (!view.isCaller) return "from the callee";
        if (view.isOneWay) side.streams.delete(id);
        return undefined;
      case Kind.CREDIT:
        view.grantedMessages += frame.messages;
        view.grantedBytes += Number(frame.bytes);
        return this.#checkBudget(index, side);
      case Kind.KEY:
        if (view.isCaller) return "from the caller";
        if (view.announcedKeys.has(frame.keyId) || frame.keyId === 0) return "announced twice, or 0";
        view.announcedKeys.add(frame.keyId);
        return view.announcedKeys.size > side.peerLimits!.maxKeys
          ? "more keys than the peer takes"
          : undefined;
      case Kind.LOST:
        return view.isCaller ? "from the caller" : undefined;
      default:
        return "a kind that nobody sends";
    }
  }

  /** The sum of what a side lets the other send is bounded by its budget. */
  #checkBudget(index: SideIndex, side: Side): string | undefined {
    let sum = 0;
    for (const { grantedBytes, isOneWay } of side.streams.values()) {
      if (!isOneWay) sum += Math.max(0, grantedBytes - side.limits!.initialBytes);
    }
    const budget = this.#user.budgetBytes[index];
    return sum > budget
      ? `${sum} bytes are granted above the initial ones; the budget is ${budget}`
      : undefined;
  }

  #noteReceived(index: SideIndex, side: Side, frame: Frame): string | undefined {
    const id = Number(frame.streamId);
    switch (frame.kind) {
      case Kind.HELLO: {
        const limits = limitsOf(fromBinary(HelloSchema, frame.payload!).limits!);
        side.peerLimits = limits;
        side.callBytes = limits.callBytes;
        side.oneWayMessages = limits.oneWayMessages;
        side.oneWayBytes = limits.oneWayBytes;
        return undefined;
      }
      case Kind.METHOD:
        side.known.set(frame.methodId, frame.method);
        return undefined;
      case Kind.DRAIN:
        side.isPeerDraining = true;
        for (const [streamId, view] of side.streams) {
          if (view.isCaller && streamId > id) endOfCall(side, streamId, view);
        }
        return undefined;
      case Kind.OPEN:
        this.#noteOpen(index, side, frame);
        return undefined;
    }
    if (frame.kind === Kind.CREDIT && (frame.flags & Flag.ONE_WAY) !== 0) {
      side.oneWayMessages += frame.messages;
      side.oneWayBytes += Number(frame.bytes);
      return undefined;
    }
    const view = side.streams.get(id);
    if (view === undefined) return undefined;
    switch (frame.kind) {
      case Kind.CREDIT:
        view.sendMessages += frame.messages;
        view.sendBytes += Number(frame.bytes);
        return undefined;
      case Kind.CANCEL:
        if (view.isOneWay) side.streams.delete(id);
        return undefined;
      case Kind.END:
        endOfCall(side, id, view);
        return undefined;
      case Kind.DATA:
        return this.#noteData(index, id, view, frame);
      case Kind.KEY:
      case Kind.LOST:
        return view.topic.take(frame);
      default:
        return undefined;
    }
  }

  #noteOpen(index: SideIndex, side: Side, frame: Frame): void {
    const id = Number(frame.streamId);
    const method = frame.methodId === 0 ? frame.method : side.known.get(frame.methodId)!;
    const isOneWay = (frame.flags & Flag.ONE_WAY) !== 0;
    const view = newView(false, isOneWay, method, side.limits!, side.peerLimits!);
    view.sendMessages += frame.messages;
    view.sendBytes += Number(frame.bytes);
    if (isOneWay) side.grantedOneWayMessages--;
    if (!side.hasDrained) side.streams.set(id, view);
    if ((frame.flags & Flag.MORE) !== 0) view.receiving = "opening";
    else if (frame.payload !== undefined) this.#user.onOpened(index, id, method);
  }

  #noteData(index: SideIndex, id: number, view: StreamView, frame: Frame): string | undefined {
    const isMore = (frame.flags & Flag.MORE) !== 0;
    const isFirst = view.receiving === "none";
    if (view.receiving === "opening") {
      if (!isMore) this.#user.onOpened(index, id, view.method);
    } else if (frame.payload !== undefined) {
      if (isFirst) view.grantedMessages--;
      view.grantedBytes -= frame.payload.length;
    }
    if (isMore && isFirst) view.receiving = "message";
    if (!isMore) view.receiving = "none";
    return isFirst && view.isCaller && frame.seq > 0n ? view.topic.take(frame) : undefined;
  }
}

function checkData(side: Side, id: number, view: StreamView, frame: Frame): string | undefined {
  if (view.lastSent && view.sending === "none") return "after the last message";
  view.dataSent = true;
  const isMore = (frame.flags & Flag.MORE) !== 0;
  if ((frame.flags & Flag.LAST) !== 0) view.lastSent = true;
  const { sending } = view;
  if (frame.payload !== undefined) {
    const size = frame.payload.length;
    if (sending === "opening") {
      view.openBytes += size;
      if (view.isOneWay) side.oneWayBytes -= size;
      else side.callBytes -= size;
    } else if (sending === "message") {
      view.sendBytes -= size;
    } else if (!takeCredit(view, size)) {
      return `a message without credit (${view.sendMessages} messages, ${view.sendBytes} bytes)`;
    }
  }
  if (frame.seq > 0n && frame.keyId > 0 && !view.announcedKeys.has(frame.keyId))
    return "the key was not announced";
  view.sending = isMore ? (sending === "none" ? "message" : sending) : "none";
  if (view.isOneWay && view.sending === "none") side.streams.delete(id);
  return undefined;
}

function takeCredit(view: StreamView, size: number): boolean {
  if (view.sendMessages < 1 || view.sendBytes <= 0) return false;
  view.sendMessages--;
  view.sendBytes -= size;
  return true;
}

function endOfCall(side: Side, id: number, view: StreamView): void {
  side.streams.delete(id);
  side.callsInFlight--;
  side.callBytes += view.openBytes;
}

function newSide(lastOpened: number): Side {
  return {
    limits: undefined,
    peerLimits: undefined,
    isClosed: false,
    lastOpened,
    announced: new Map(),
    known: new Map(),
    callsInFlight: 0,
    callBytes: 0,
    oneWayMessages: 0,
    oneWayBytes: 0,
    grantedOneWayMessages: 0,
    hasDrained: false,
    isPeerDraining: false,
    streams: new Map(),
  };
}

function newView(
  isCaller: boolean,
  isOneWay: boolean,
  method: string,
  own: WireLimits,
  peer: WireLimits,
): StreamView {
  return {
    isCaller,
    isOneWay,
    method,
    sendMessages: peer.initialMessages,
    sendBytes: peer.initialBytes,
    sending: "none",
    receiving: "none",
    openBytes: 0,
    lastSent: false,
    headersSent: false,
    dataSent: false,
    grantedMessages: own.initialMessages,
    grantedBytes: own.initialBytes,
    announcedKeys: new Set(),
    topic: new TopicAccount(),
  };
}

function limitsOf(limits: Limits): WireLimits {
  return {
    maxMessageBytes: Number(limits.maxMessageBytes),
    maxCalls: limits.maxCalls,
    callBytes: Number(limits.callBytes),
    initialMessages: limits.initialMessages,
    initialBytes: Number(limits.initialBytes),
    oneWayMessages: limits.oneWayMessages,
    oneWayBytes: Number(limits.oneWayBytes),
    maxKeys: limits.maxKeys,
    maxMethods: limits.maxMethods,
  };
}

/** A frame in a few words. */
export function describeFrame(frame: Frame): string {
  const { kind, streamId, flags, methodId, messages, bytes, keyId, seq, lost, payload, status } = frame;
  let text = `${Kind[kind] ?? kind} ${streamId}`;
  if (flags !== 0) text += ` flags ${flags}`;
  if (methodId !== 0) text += ` method ${methodId}`;
  if (frame.method !== "") text += ` ${frame.method}`;
  if (messages !== 0 || bytes !== 0n) text += ` credit ${messages}/${bytes}`;
  if (keyId !== 0 || seq !== 0n) text += ` key ${keyId} seq ${seq}`;
  if (lost !== 0n) text += ` lost ${lost}`;
  if (status !== undefined) text += ` status ${status.code} ${status.message}`;
  if (payload !== undefined) text += ` ${payload.length} bytes`;
  return text;
}
