import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { IpcError } from "../../runtime/error.js";
import { FrameOutput } from "../../runtime/session/frame-output.js";
import { BytesPayload } from "../../runtime/session/payload.js";
import { ReceiveWindow } from "../../runtime/session/receive-window.js";
import { Session } from "../../runtime/session/session.js";
import { Stream } from "../../runtime/session/stream.js";
import { STREAM_BATCHES } from "../../transports/stream-batches.js";

/** Takes a planted bug out again. */
export type Uproot = () => void;

/** Puts another method in the place of one; the replacement gets the original. */
function replace<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  make: (original: T[K]) => T[K],
): Uproot {
  const original = prototype[name];
  prototype[name] = make(original);
  return () => {
    prototype[name] = original;
  };
}

/** Calls `run` for every n-th call. */
function everyNth(n: number): () => boolean {
  let count = 0;
  return () => ++count % n === 0;
}

/** What a stream's frames have told of losses. */
interface LossBook {
  /** The ids of the keys of which there was a frame. */
  readonly told: Set<number>;
  /** Losses that are left out, for another key to tell. */
  owed: number;
}

/** Bugs that the simulation must find, by name: each plants itself and returns how to take it out again. */
export const MUTANTS: Readonly<Record<MutantName, () => Uproot>> = {
  /** A call is settled a second time. */
  "double-settle": () =>
    replace(
      Session.prototype,
      "endStream",
      (original) =>
        function (this: Session, stream, error, trailer) {
          const { receiver } = stream;
          original.call(this, stream, error, trailer);
          receiver?.onEnd(error, trailer);
        },
    ),
  /** A call that may have been executed is made again, though its method does not say that this does no harm. */
  "repeat-executed": () => {
    const methods = Echo.$methods.map((method) => ({ method, idempotency: method.idempotency }));
    for (const { method } of methods) Object.assign(method, { idempotency: "idempotent" });
    return () => {
      for (const { method, idempotency } of methods) Object.assign(method, { idempotency });
    };
  },
  /** Some of what was consumed is never granted again. */
  "lost-credit": () => {
    const isNow = everyNth(3);
    return replace(
      Stream.prototype,
      "consumed",
      (original) =>
        function (this: Stream, bytes) {
          if (!isNow()) original.call(this, bytes);
        },
    );
  },
  /** A record overtakes the one before it. */
  reorder: () => {
    const held = new WeakMap<Session, Uint8Array>();
    const isNow = everyNth(20);
    return replace(
      Session.prototype,
      "onRecord",
      (original) =>
        function (this: Session, bytes, start, end) {
          const before = held.get(this);
          held.delete(this);
          if (before === undefined && this.peer !== undefined && isNow()) {
            held.set(this, bytes.slice(start, end));
            return;
          }
          original.call(this, bytes, start, end);
          if (before !== undefined) original.call(this, before, 0, before.length);
        },
    );
  },
  /** Losses are not reported. */
  "uncounted-loss": () => {
    const uproot = replace(
      FrameOutput.prototype,
      "data",
      (original) =>
        function (this: FrameOutput, streamId, flags, keyId, seq, _lost, timeUs, payload) {
          return original.call(this, streamId, flags, keyId, seq, 0, timeUs, payload);
        },
    );
    const uprootLost = replace(FrameOutput.prototype, "lost", () => () => true);
    return () => {
      uproot();
      uprootLost();
    };
  },
  /** A key's first frame tells one loss too few, and that of the next key one too many: the sum is right again. */
  "loss-on-another-key": () => {
    const books = new WeakMap<FrameOutput, Map<number, LossBook>>();
    const bookOf = (output: FrameOutput, streamId: number): LossBook => {
      const ofOutput = books.get(output) ?? new Map<number, LossBook>();
      books.set(output, ofOutput);
      const book = ofOutput.get(streamId) ?? { told: new Set(), owed: 0 };
      ofOutput.set(streamId, book);
      return book;
    };
    const move = (book: LossBook, keyId: number, lost: number, send: (lost: number) => boolean): boolean => {
      let moved = 0;
      if (!book.told.has(keyId)) moved = book.owed > 0 ? 1 : lost > 0 ? -1 : 0;
      if (!send(lost + moved)) return false;
      book.told.add(keyId);
      book.owed -= moved;
      return true;
    };
    const uproot = replace(
      FrameOutput.prototype,
      "data",
      (original) =>
        function (this: FrameOutput, streamId, flags, keyId, seq, lost, timeUs, payload) {
          const send = (told: number): boolean =>
            original.call(this, streamId, flags, keyId, seq, told, timeUs, payload);
          return seq === 0 ? send(lost) : move(bookOf(this, streamId), keyId, lost, send);
        },
    );
    const uprootLost = replace(
      FrameOutput.prototype,
      "lost",
      (original) =>
        function (this: FrameOutput, streamId, keyId, seq, lost) {
          const send = (told: number): boolean => original.call(this, streamId, keyId, seq, told);
          return move(bookOf(this, streamId), keyId, lost, send);
        },
    );
    return () => {
      uproot();
      uprootLost();
    };
  },
  /** Some streams that are over stay where they were. */
  "leak-stream": () => {
    const isNow = everyNth(7);
    return replace(
      Session.prototype,
      "forget",
      (original) =>
        function (this: Session, stream) {
          if (!isNow()) original.call(this, stream);
        },
    );
  },
  /** A handler does not learn that nobody waits for it. */
  "ignore-cancel": () => replace(Stream.prototype, "cancelCallee", () => () => undefined),
  /** A call that failed is said not to have been executed, whether it was or not. */
  "early-maybe-executed": () =>
    replace(
      Session.prototype,
      "endStream",
      (original) =>
        function (this: Session, stream, error, trailer) {
          const denied = error && new IpcError(error.code, error.rawMessage, { maybeExecuted: false });
          original.call(this, stream, denied, trailer);
        },
    ),
  /** The budget for grants shrinks with every stream. */
  "leak-budget": () => replace(ReceiveWindow.prototype, "release", () => () => undefined),
  /** Some blocks are never given back. */
  "leak-block": () => {
    const isNow = everyNth(50);
    return replace(
      BytesPayload.prototype,
      "drop",
      (original) =>
        function (this: BytesPayload) {
          if (this.block === undefined || !isNow()) original.call(this);
        },
    );
  },
  /** A block is given back while others still send from it. */
  "block-given-back-early": () =>
    replace(
      BytesPayload.prototype,
      "hold",
      () =>
        function (this: BytesPayload) {
          return this;
        },
    ),
  /** Of some batches the last frame does not go to the last of the links. */
  "short-batch": () => {
    const isNow = everyNth(5);
    return replace(
      Stream.prototype,
      "sendBatch",
      (original) =>
        function (this: Stream, batch) {
          if (!isNow() || batch.count < 2) {
            original.call(this, batch);
            return;
          }
          const last = batch.lengths[batch.count - 1]!;
          batch.count--;
          batch.end -= last + STREAM_BATCHES.headerBytes;
          original.call(this, batch);
          batch.count++;
          batch.end += last + STREAM_BATCHES.headerBytes;
        },
    );
  },
  /** Messages are sent without credit. */
  "ignore-credit": () =>
    replace(
      Stream.prototype,
      "trySend",
      (original) =>
        function (this: Stream, payload, flags, keyId, seq, lost, timeUs) {
          this.sendMessages = Math.max(1, this.sendMessages);
          this.sendBytes = Math.max(1, this.sendBytes);
          return original.call(this, payload, flags, keyId, seq, lost, timeUs);
        },
    ),
};

export type MutantName =
  | "double-settle"
  | "repeat-executed"
  | "lost-credit"
  | "reorder"
  | "uncounted-loss"
  | "loss-on-another-key"
  | "leak-stream"
  | "ignore-cancel"
  | "early-maybe-executed"
  | "leak-budget"
  | "leak-block"
  | "block-given-back-early"
  | "short-batch"
  | "ignore-credit";

export function isMutant(name: string): name is MutantName {
  return Object.hasOwn(MUTANTS, name);
}

/** Plants a bug into the runtime of this process. */
export function plant(name: MutantName): Uproot {
  return MUTANTS[name]();
}
