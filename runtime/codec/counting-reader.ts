import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { nestedTooDeep } from "./nesting.js";

/**
 * A reader for what ts-proto generates, with a limit of its own. That code counts the messages that it is in on the
 * reader, in a property which it adds to it, and stops at a hundred. Here the property counts from below zero, so that
 * theirs is never reached, and throws above zero.
 */
export class CountingReader extends BinaryReader {
  readonly #typeName: string;
  readonly #maxNesting: number;
  /** The levels that are open, less the limit. */
  #level: number;
  #isCounted = false;

  /** Throws `IpcError` RESOURCE_EXHAUSTED, that names `typeName`, where more than `maxNesting` levels are opened. */
  constructor(bytes: Uint8Array, typeName: string, maxNesting: number) {
    super(bytes);
    this.#typeName = typeName;
    this.#maxNesting = maxNesting;
    this.#level = -maxNesting;
  }

  /** Whether whoever reads counts. */
  get isCounted(): boolean {
    return this.#isCounted;
  }

  get __tsProtoDecodeDepth(): number {
    return this.#level;
  }

  set __tsProtoDecodeDepth(level: number) {
    this.#isCounted = true;
    this.#open(level);
  }

  /** Groups that are not known are skipped by recursion too: each is a level. */
  override skip(wireType: WireType, fieldNo?: number): Uint8Array {
    if (wireType !== WireType.StartGroup) return super.skip(wireType, fieldNo);
    this.#open(this.#level + 1);
    // What it skips within, it skips through here, so that its own limit has nothing to do.
    const skipped = super.skip(wireType, fieldNo, Number.MAX_SAFE_INTEGER);
    this.#level--;
    return skipped;
  }

  #open(level: number): void {
    if (level > 0) throw nestedTooDeep(this.#typeName, this.#maxNesting);
    this.#level = level;
  }
}
