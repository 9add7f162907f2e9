import type { BlockStore } from "../../transports/transport.js";
import type {
  FieldLoan,
  FieldLoanOptions,
  Loan,
  PublishOptions,
  PublishResult,
  WriterLoan,
  WriterLoanOptions,
} from "../api.js";
import type { Codec } from "../codec/codec.js";
import type { MessageWriter } from "../codec/inplace/writer.js";
import { IpcError } from "../error.js";
import type { BytesPayload } from "../session/payload.js";
import type { Room } from "./room.js";

/** What is lent. */
export interface LoanRequest {
  readonly codec: Codec<unknown, unknown>;
  /** The topic's name. */
  readonly fullName: string;
  readonly maxBytes: number;
  readonly options: LoanOptions | undefined;
  readonly maxMessageBytes: number;
  readonly store: BlockStore | undefined;
}

/** Whose loan it is: a publisher. */
export interface Lender {
  publish(payload: BytesPayload): PublishResult;
  /** Calls `publish` when there is room. */
  whenReady(publish: () => PublishResult, options: PublishOptions | undefined): Promise<PublishResult>;
  /** The loan is published or released. */
  onOver(loan: AnyLoan): void;
}

export type AnyLoan = Loan | FieldLoan<never> | WriterLoan<MessageWriter>;
export type LoanOptions = FieldLoanOptions<string> | WriterLoanOptions<MessageWriter>;

/** What all kinds of loans are. */
export abstract class OpenLoan {
  protected readonly request: LoanRequest;
  readonly #room: Room;
  readonly #lender: Lender;
  #bytes: Uint8Array;
  #over: "published" | "released" | undefined;

  constructor(room: Room, start: number, request: LoanRequest, lender: Lender) {
    this.request = request;
    this.#room = room;
    this.#lender = lender;
    this.#bytes = room.bytes.subarray(start, start + request.maxBytes);
  }

  get bytes(): Uint8Array {
    this.checkNotOver();
    return this.#bytes;
  }

  release(): void {
    if (this.#over !== undefined) return;
    this.#end("released");
    this.#room.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  /** The bytes of all that the user was given and what belongs to it. */
  protected get roomBytes(): number {
    return this.#room.bytes.length;
  }

  protected checkNotOver(): void {
    if (this.#over === undefined) return;
    throw new IpcError("FAILED_PRECONDITION", this.#whyOver());
  }

  #whyOver(): string {
    return `the loan of ${this.request.fullName} is over: it was ${this.#over}`;
  }

  protected checkMessageBytes(size: number): void {
    const { maxMessageBytes } = this.request;
    if (size <= maxMessageBytes) return;
    const text = `a publication of ${size} bytes is above the limit of ${maxMessageBytes} bytes (maxMessageBytes)`;
    throw new IpcError("RESOURCE_EXHAUSTED", text);
  }

  protected whenReady(
    publish: () => PublishResult,
    options: PublishOptions | undefined,
  ): Promise<PublishResult> {
    return this.#lender.whenReady(publish, options);
  }

  /** Publishes the first `usedBytes` of the room, after `finish` has written what is missing. */
  protected publishUsed(
    usedBytes: number,
    finish?: (bytes: Uint8Array, start: number) => void,
  ): PublishResult {
    const { bytes, start } = this.#room.takeBack();
    finish?.(bytes, start);
    this.#end("published");
    const payload = this.#room.payload(usedBytes);
    try {
      return this.#lender.publish(payload);
    } finally {
      payload.drop();
    }
  }

  /** For what else is over with the loan. `why` says so. */
  protected onOver(_why: string): void {}

  #end(how: "published" | "released"): void {
    this.#over = how;
    this.onOver(this.#whyOver());
    this.#bytes = new Uint8Array(0);
    this.#lender.onOver(this as unknown as AnyLoan);
  }
}

export function checkCount(name: string, count: number, most: number): void {
  if (Number.isInteger(count) && count >= 0 && count <= most) return;
  const range = most === Number.MAX_SAFE_INTEGER ? "from 0" : `from 0 to ${most}`;
  throw new TypeError(`${name} is ${count}; it must be a whole number ${range}`);
}
