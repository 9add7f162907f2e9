/**
 * Where reading stands. Decoders pass positions in and take them from here, which costs no object for each value. There
 * is one: decoding calls nobody and waits for nothing, so that no two decoders are at work at a time.
 */
export interface Cursor {
  /** The position after what was read last. */
  pos: number;
  /** Whether nobody writes to the bytes while they are read. Else every byte is read once, and no native code reads them. */
  isPrivate: boolean;
  /** Whether fields of bytes may be views of what is read. */
  mayAlias: boolean;
  /** Where the outermost message begins and ends, if its texts may be parts of one text. Else both are 0. */
  start: number;
  end: number;
  /** All of the message as one text, a character for each byte, when that has been made. */
  whole: string;
  /** How many texts were long enough for native code. */
  longTexts: number;
}

export const cursor: Cursor = {
  pos: 0,
  isPrivate: true,
  mayAlias: false,
  start: 0,
  end: 0,
  whole: "",
  longTexts: 0,
};

/** Scratch memory through which numbers of 64 bits and floating point numbers become bytes and back. */
const scratch = new ArrayBuffer(8);
export const scratchView: DataView = new DataView(scratch);
export const scratchBytes: Uint8Array = new Uint8Array(scratch);
