/** A line of more bytes is told in pieces, so that a program that never ends one costs no more memory than this. */
export const MAX_LINE_BYTES = 8_192;
/** Ends every piece of a line but the last. */
export const CUT_MARK = " […]";

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const NOTHING: Uint8Array<ArrayBufferLike> = new Uint8Array(0);

/** The lines of UTF-8 text that comes in chunks, without their line ends, which are "\n" or "\r\n". */
export class Lines {
  readonly #onLine: (line: string) => void;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  /** The bytes of the line that has not ended; never more than a line may have, and a "\r". */
  #rest = NOTHING;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + chunk.length);
      bytes.set(this.#rest);
      bytes.set(chunk, this.#rest.length);
    }
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(LINE_FEED, start);
      if (end === -1) break;
      const hasReturn = end > start && bytes[end - 1] === CARRIAGE_RETURN;
      start = this.#tellPieces(bytes, start, hasReturn ? end - 1 : end);
      this.#tell(bytes, start, hasReturn ? end - 1 : end, "");
      start = end + 1;
    }
    // A "\r" at the end may belong to a line end that is still to come.
    const end = bytes.at(-1) === CARRIAGE_RETURN ? bytes.length - 1 : bytes.length;
    if (start < end) start = this.#tellPieces(bytes, start, end);
    // A copy: what was given is the caller's.
    this.#rest = bytes.slice(start);
  }

  /** Nothing more comes: what is left is a line, too. */
  end(): void {
    const rest = this.#rest;
    this.#rest = NOTHING;
    const end = rest.at(-1) === CARRIAGE_RETURN ? rest.length - 1 : rest.length;
    if (rest.length > 0) this.#tell(rest, 0, end, "");
  }

  /** Tells what is too much for one line, and returns where the rest of it begins. */
  #tellPieces(bytes: Uint8Array, from: number, end: number): number {
    let start = from;
    while (end - start > MAX_LINE_BYTES) {
      const cut = characterStart(bytes, start + MAX_LINE_BYTES);
      this.#tell(bytes, start, cut, CUT_MARK);
      start = cut;
    }
    return start;
  }

  #tell(bytes: Uint8Array, start: number, end: number, mark: string): void {
    this.#onLine(this.#decoder.decode(bytes.subarray(start, end)) + mark);
  }
}

/** The position, or that of the UTF-8 character that it is in the midst of. */
function characterStart(bytes: Uint8Array, position: number): number {
  for (let at = position; at > position - 4; at--) if ((bytes[at]! & 0xc0) !== 0x80) return at;
  return position;
}
