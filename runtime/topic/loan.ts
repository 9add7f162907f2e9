import type { FieldLoan, FieldUse, Loan, PublishOptions, PublishResult } from "../api.js";
import type { BytesField, Codec } from "../codec/codec.js";
import { checkInPlaceType } from "../codec/inplace/check-type.js";
import { LENGTH_DELIMITED, TopLevelFields } from "../codec/top-level-fields.js";
import { IpcError, isIpcError } from "../error.js";
import { type BytesPayload, keep, MessagePayload } from "../session/payload.js";
import { varintSize, writePaddedVarint, writeVarint } from "../wire/varint.js";
import { type AnyLoan, checkCount, type Lender, type LoanRequest, OpenLoan } from "./open-loan.js";
import { lendRoom, type Room } from "./room.js";
import { LoanWithWriter } from "./writer-loan.js";

const DEFAULT_REST_BYTES = 4_096;

/** Lends room. Throws a `TypeError` for what cannot be, `IpcError` RESOURCE_EXHAUSTED above `maxMessageBytes`. */
export function makeLoan(request: LoanRequest, lender: Lender): AnyLoan {
  const { codec, maxBytes, options, maxMessageBytes, store } = request;
  checkCount("maxBytes", maxBytes, Number.MAX_SAFE_INTEGER);
  if (maxBytes > maxMessageBytes) {
    const text = `a loan of ${maxBytes} bytes is above the limit of ${maxMessageBytes} bytes (maxMessageBytes)`;
    throw new IpcError("RESOURCE_EXHAUSTED", text);
  }
  if (options === undefined) return new MessageLoan(lendRoom(maxBytes, store), request, lender);
  if ("writer" in options) {
    checkInPlaceType("writer", options.writer, codec.typeName);
    return new LoanWithWriter(lendRoom(maxBytes, store), request, options.writer, lender);
  }
  const { field, restBytes = DEFAULT_REST_BYTES } = options;
  checkCount("restBytes", restBytes, maxMessageBytes);
  const [number, { unset }] = findField(codec, field);
  const tag = number * 8 + LENGTH_DELIMITED;
  const headBytes = varintSize(tag) + varintSize(maxBytes);
  const room = lendRoom(headBytes + maxBytes + restBytes, store);
  return new PartLoan(room, request, lender, { name: field, number, tag, headBytes, unset });
}

/** Room for a whole message. */
class MessageLoan extends OpenLoan implements Loan {
  constructor(room: Room, request: LoanRequest, lender: Lender) {
    super(room, 0, request, lender);
  }

  publish(usedBytes: number): PublishResult {
    this.checkNotOver();
    checkCount("usedBytes", usedBytes, this.request.maxBytes);
    return this.publishUsed(usedBytes);
  }

  async publishWhenReady(usedBytes: number, options?: PublishOptions): Promise<PublishResult> {
    this.checkNotOver();
    checkCount("usedBytes", usedBytes, this.request.maxBytes);
    return this.whenReady(() => this.publish(usedBytes), options);
  }
}

/** The field that is lent. */
interface LentField {
  readonly name: string;
  readonly number: number;
  readonly tag: number;
  /** Its tag, and its length, which is as wide as the room needs. */
  readonly headBytes: number;
  /** As in `BytesField`. */
  readonly unset: unknown;
}

/**
 * Room for one field. The message is put together around it: tag and length before it, and right behind what of it is
 * used an ordinary encoding of the other fields. Encodings that follow one another are one message.
 */
class PartLoan extends OpenLoan implements FieldLoan<never> {
  readonly #field: LentField;

  constructor(room: Room, request: LoanRequest, lender: Lender, field: LentField) {
    super(room, field.headBytes, request, lender);
    this.#field = field;
  }

  publish(rest: unknown, options?: FieldUse): PublishResult {
    this.checkNotOver();
    const { maxBytes } = this.request;
    const usedBytes = options?.usedBytes ?? maxBytes;
    checkCount("usedBytes", usedBytes, maxBytes);
    const { tag, headBytes } = this.#field;
    const encoded = this.#encode(rest);
    const restStart = headBytes + usedBytes;
    const size = restStart + encoded.maxBytes;
    if (size > this.roomBytes) {
      const text = `the other fields have ${encoded.maxBytes} bytes; the loan has room for ${this.roomBytes - restStart} (restBytes)`;
      throw new IpcError("RESOURCE_EXHAUSTED", text);
    }
    this.checkMessageBytes(size);
    return this.publishUsed(size, (bytes, start) => {
      const lengthStart = writeVarint(bytes, start, tag);
      writePaddedVarint(bytes, lengthStart, usedBytes, varintSize(maxBytes));
      encoded.writeInto(bytes, start + restStart);
    });
  }

  async publishWhenReady(rest: unknown, options?: FieldUse & PublishOptions): Promise<PublishResult> {
    this.checkNotOver();
    return this.whenReady(() => this.publish(rest, options), options);
  }

  /** The other fields. The message is of one type with them, so that the lent field must not come once more. */
  #encode(rest: unknown): BytesPayload {
    const { codec, fullName } = this.request;
    const { name, number, unset } = this.#field;
    const isObject = typeof rest === "object" && rest !== null;
    const isWhole = unset === undefined || !isObject || Object.hasOwn(rest, name);
    let encoded: BytesPayload;
    try {
      encoded = keep(message.set(codec, isWhole ? rest : { ...rest, [name]: unset }), undefined);
    } catch (cause) {
      if (isIpcError(cause)) throw cause;
      const text = `a publication of ${fullName} could not be encoded as ${codec.typeName}`;
      throw new IpcError("INVALID_ARGUMENT", text, { cause });
    }
    const fields = new TopLevelFields(encoded.bytes, encoded.start, encoded.end);
    while (fields.next()) {
      if (fields.number !== number) continue;
      throw new IpcError("INVALID_ARGUMENT", `the message sets ${name}, which stands in the loan already`);
    }
    return encoded;
  }
}

const message = new MessagePayload();

function findField(codec: Codec<unknown, unknown>, name: string): [number, BytesField] {
  const fields = [...(codec.bytesFields?.() ?? [])];
  const found = fields.find(([, field]) => field.name === name);
  if (found !== undefined) return found;
  const names = fields.length === 0 ? "none" : fields.map(([, field]) => field.name).join(", ");
  throw new TypeError(
    `${codec.typeName} has no field ${JSON.stringify(name)} that can be lent: a singular field of bytes, not required and of no oneof; there are: ${names}`,
  );
}
