import type { Code } from "./code.js";
import type { Codec } from "./codec/codec.js";
import type { Metadata } from "./metadata.js";

/** A typed detail of an error: google.protobuf.Any's fields. */
export interface ErrorDetail {
  /** The full name of the message's type, such as "google.rpc.BadRequest". */
  readonly typeName: string;
  /** The encoded message. */
  readonly value: Uint8Array;
}

/** What an error may carry beside its code and message. `cause` stays in this process. */
export interface IpcErrorOptions extends ErrorOptions {
  /** Typed details, which the peer receives. None unless said. */
  readonly details?: readonly ErrorDetail[] | undefined;
  /** Trailing metadata, which the peer receives where the handler has set none in `call.trailer`. */
  readonly metadata?: Metadata | undefined;
  /** As `IpcError.maybeExecuted`; false unless said. A peer judges for itself. */
  readonly maybeExecuted?: boolean | undefined;
  /** What a peer is told in place of the message, where that has something for local eyes only, such as a path. */
  readonly peerMessage?: string | undefined;
}

const BRAND = Symbol.for("protoipc.v1.IpcError");

/**
 * Every failure of a call, a topic, a link or an address. Misuse of the API (an option of the wrong kind) is a
 * `TypeError` instead. Recognised by shape, so that two copies of this package in one process agree on it.
 */
export class IpcError extends Error {
  override readonly name: string = "IpcError";
  /** What kind of failure it is. */
  readonly code: Code;
  /** The message without the code in front. */
  readonly rawMessage: string;
  /** Typed details, encoded; `findDetails` decodes them. */
  readonly details: readonly ErrorDetail[];
  /** Trailing metadata of the call that failed. */
  readonly metadata: Metadata | undefined;
  /**
   * Whether the peer may have executed the call. False only where that is certain: the request never left, or the
   * peer said that it did not start it.
   */
  readonly maybeExecuted: boolean;
  /** What a peer is told when the error is sent on: `rawMessage`, unless that names a path of this machine. */
  readonly peerMessage: string;

  /** `message` is for developers, and travels to the peer when a handler throws the error: no secrets, no paths. */
  constructor(code: Code, message: string, options: IpcErrorOptions = {}) {
    super(
      message === "" ? code : `${code}: ${message}`,
      "cause" in options ? { cause: options.cause } : undefined,
    );
    this.code = code;
    this.rawMessage = message;
    this.details = options.details ?? [];
    this.metadata = options.metadata;
    this.maybeExecuted = options.maybeExecuted ?? false;
    this.peerMessage = options.peerMessage ?? message;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /**
   * The details of one type, decoded. Details that do not decode are left out, and so are those that are nested more than
   * 100 deep: an error knows no endpoint, and so no limit but the default of `maxNesting`.
   */
  findDetails<Shape>(codec: Codec<never, Shape> | Codec<unknown, Shape>): Shape[] {
    const found: Shape[] = [];
    for (const { typeName, value } of this.details) {
      if (typeName !== codec.typeName) continue;
      try {
        found.push(codec.decode(value, 0, value.length, false));
      } catch {
        // A peer's detail that is no such message tells nothing; the error itself still does.
      }
    }
    return found;
  }

  /**
   * Makes an `IpcError` of anything thrown; one that is already such stays the same object. What `AbortSignal`s throw
   * becomes CANCELLED or DEADLINE_EXCEEDED, all else `code`, with `reason` as its cause.
   */
  static from(reason: unknown, code: Code = "UNKNOWN"): IpcError {
    if (isIpcError(reason)) return reason;
    if (reason instanceof Error && (reason.name === "AbortError" || reason.name === "TimeoutError")) {
      const abortCode = reason.name === "AbortError" ? "CANCELLED" : "DEADLINE_EXCEEDED";
      return new IpcError(abortCode, reason.message, { cause: reason });
    }
    return new IpcError(code, reason instanceof Error ? reason.message : String(reason), { cause: reason });
  }

  /** Makes `instanceof` recognise errors of another copy of this package. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // What derives from it inherits this method: an `IpcError` is none of those.
    // biome-ignore lint/complexity/noThisInStatic: `this` is the class asked about, which may derive from this one.
    if (this !== IpcError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === "object" && value !== null && BRAND in value;
  }
}

/** Whether a value is an `IpcError`, of this copy of the package or another. */
export function isIpcError(value: unknown): value is IpcError {
  return value instanceof IpcError;
}
