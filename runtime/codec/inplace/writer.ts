import { IpcError } from "../../error.js";
import type { MessageLayout } from "./layout.js";

/** The memory that a message is written into, and how far that is. All writers within the message share it. */
export interface Page {
  readonly bytes: Uint8Array;
  pos: number;
  /** Where the room ends, less what the ends of open groups will take. */
  end: number;
  /** Whose turn it is: the writer of the innermost message that is open. `undefined` when all is over. */
  active: MessageWriter | undefined;
  /** Why it is over. */
  over: string;
  /** The bytes that were reserved last, which can be trimmed as long as nothing follows them. */
  reserved: Reserved | undefined;
}

export interface Reserved {
  readonly writer: MessageWriter;
  readonly number: number;
  /** Where its length stands, and how wide it is. */
  readonly lengthPos: number;
  readonly lengthBytes: number;
  readonly end: number;
}

/**
 * Writes a message where it will be read: each setter encodes its value at once, behind what was written before. A field
 * that is set again is written again: of a value the last counts, messages are merged, of repeated fields and maps each
 * call adds. Setters throw `IpcError` and leave the writer as it was: RESOURCE_EXHAUSTED where there is no room, naming the
 * field, the bytes that it needs and those that are left; INVALID_ARGUMENT for what is no value of the field;
 * FAILED_PRECONDITION when the loan is over, when the callback that the writer was given to has ended, and while a callback
 * of one of its own messages runs. What a callback throws is passed on, and its message is not written.
 */
export abstract class MessageWriter<Message = unknown> {
  /** The message's type; there is no such property. */
  declare readonly $message?: Message;
  /** @hidden For generated code alone. */
  readonly $page: Page;
  /** @hidden For generated code alone: the required fields that are not set yet. */
  readonly $missing: Set<string> | undefined;

  constructor(page: Page) {
    const { required } = layoutOfWriter(new.target);
    this.$page = page;
    this.$missing = required.length === 0 ? undefined : new Set(required);
  }
}

/** A generated class of writers. */
export interface WriterType<Writer> {
  /** @hidden For generated code alone. */
  new (page: Page): Writer;
  /** @hidden What generated code knows of the message. */
  readonly layout: MessageLayout;
}

function layoutOfWriter(type: unknown): MessageLayout {
  return (type as { readonly layout: MessageLayout }).layout;
}

function typeNameOf(writer: MessageWriter): string {
  return layoutOfWriter(writer.constructor).typeName;
}

/** Begins a message that is to be written from the beginning of `bytes` on. */
export function beginWriting<Writer>(
  type: WriterType<Writer>,
  bytes: Uint8Array,
): { readonly page: Page; readonly writer: Writer } {
  const page: Page = { bytes, pos: 0, end: bytes.length, active: undefined, over: "", reserved: undefined };
  const writer = new type(page);
  page.active = writer as MessageWriter;
  return { page, writer };
}

/** Ends the use of all writers. `why`: what they say from here on. */
export function endWriting(page: Page, why: string): void {
  page.active = undefined;
  page.over = why;
}

/** What is written, if the writer may write now. */
export function turnOf(writer: MessageWriter): Page {
  const page = writer.$page;
  if (page.active === writer) return page;
  const text =
    page.active === undefined
      ? page.over
      : `the writer of ${typeNameOf(writer)} has not the turn: its callback has ended, or one of a message within it runs`;
  throw new IpcError("FAILED_PRECONDITION", text);
}

/** As `turnOf`, if so many bytes fit in. */
export function roomFor(writer: MessageWriter, name: string, neededBytes: number): Page {
  const page = turnOf(writer);
  const leftBytes = page.end - page.pos;
  if (neededBytes <= leftBytes) return page;
  const text = `${typeNameOf(writer)}.${name} needs ${neededBytes} bytes; the loan has room for ${leftBytes} more`;
  throw new IpcError("RESOURCE_EXHAUSTED", text);
}

/** The field is written. */
export function markSet(writer: MessageWriter, name: string): void {
  writer.$missing?.delete(name);
}

/** Throws `IpcError` INVALID_ARGUMENT, which names it, where a required field is not set. */
export function checkRequired(writer: MessageWriter): void {
  for (const name of writer.$missing ?? []) {
    throw new IpcError("INVALID_ARGUMENT", `${typeNameOf(writer)}.${name} is required, and not set`);
  }
}

/** What a field does not take. */
export function notAValue(writer: MessageWriter, name: string, value: unknown, cause: unknown): IpcError {
  const shown =
    typeof value === "object" && value !== null ? `an ${value.constructor?.name ?? "object"}` : show(value);
  return new IpcError("INVALID_ARGUMENT", `${typeNameOf(writer)}.${name} cannot be ${shown}`, { cause });
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  return typeof value === "bigint" ? `${value}n` : String(value);
}
