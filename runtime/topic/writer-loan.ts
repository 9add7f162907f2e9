import type { PublishOptions, PublishResult, WriterLoan } from "../api.js";
import {
  beginWriting,
  checkRequired,
  endWriting,
  type MessageWriter,
  type Page,
  turnOf,
  type WriterType,
} from "../codec/inplace/writer.js";
import { type Lender, type LoanRequest, OpenLoan } from "./open-loan.js";
import type { Room } from "./room.js";

/** Room for a message that is written field by field. */
export class LoanWithWriter extends OpenLoan implements WriterLoan<MessageWriter> {
  readonly message: MessageWriter;
  readonly #page: Page;

  constructor(room: Room, request: LoanRequest, type: WriterType<MessageWriter>, lender: Lender) {
    super(room, 0, request, lender);
    const { page, writer } = beginWriting(type, this.bytes);
    this.message = writer;
    this.#page = page;
  }

  publish(): PublishResult {
    this.#checkWhole();
    return this.publishUsed(this.#page.pos);
  }

  async publishWhenReady(options?: PublishOptions): Promise<PublishResult> {
    this.#checkWhole();
    return this.whenReady(() => this.publish(), options);
  }

  protected override onOver(why: string): void {
    endWriting(this.#page, why);
  }

  /** Not from within a callback that fills a message in. */
  #checkWhole(): void {
    this.checkNotOver();
    turnOf(this.message);
    checkRequired(this.message);
  }
}
