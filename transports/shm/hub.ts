import {
  BATCH_RECORDS,
  BATCHES,
  type Binding,
  EVENT_WORDS,
  Event,
  type Native,
  NUMBERS,
  PLACE_MASK,
  RECORD_WORDS,
} from "../../bindings/node/binding.js";

/** What the addon tells of a link. */
export interface LinkEvents {
  onAttached(): void;
  /** So many records are in batch 0. */
  onRecords(count: number): void;
  /** `onRecords` threw: what it left is still there. */
  onResume(): void;
  onWritable(): void;
  /** Nothing more is told: `Native.linkClose` has to follow. */
  onEnded(code: number): void;
}

/** What the addon tells of a listener. */
export interface ListenerEvents {
  onAccepted(link: number): void;
  onFailed(code: number): void;
}

/** Where records are received into. */
export interface Batch {
  readonly bytes: Uint8Array;
  readonly records: Uint32Array;
}

/** A batch ends when it has so many bytes. */
const BATCH_BYTES = 65_536;
/** Set to 0, no memory but the engine's own is shown to JavaScript. Some platforms allow no other. */
const EXTERNAL_MEMORY = "PROTOIPC_EXTERNAL_MEMORY";

const hubs = new WeakMap<Binding, { readonly shown: Hub | undefined; readonly copied: Hub | undefined }>();

/** The hub of this thread. */
export function hubOf(binding: Binding): Hub {
  const isCopied = process.env[EXTERNAL_MEMORY] === "0";
  const known = hubs.get(binding);
  const existing = isCopied ? known?.copied : known?.shown;
  if (existing !== undefined) return existing;
  const made = new Hub(binding, isCopied);
  hubs.set(binding, {
    shown: isCopied ? known?.shown : made,
    copied: isCopied ? made : known?.copied,
  });
  return made;
}

/** All links of a thread: it hands on what the addon tells, and has the memory that they share. */
export class Hub {
  readonly binding: Binding;
  readonly native: Native;
  /** The results of the addon that have several parts. */
  readonly numbers: Float64Array = new Float64Array(new ArrayBuffer(8 * NUMBERS));
  /** By place, which is a part of the id: the addon tells of each id only as long as its link is there. */
  readonly #links: (LinkEvents | undefined)[] = [];
  readonly listeners: Map<number, ListenerEvents> = new Map();
  /** External memory is forbidden: what is sent is copied once more. */
  isCopied: boolean;
  /** How many deliveries are going on, one within the other: each has its batch. */
  depth = 0;
  readonly #words = new Uint32Array(new ArrayBuffer(4 * EVENT_WORDS));
  readonly #batches: Batch[] = [];
  #batchBytes = 0;

  constructor(binding: Binding, isCopied: boolean) {
    this.binding = binding;
    this.isCopied = isCopied;
    this.native = binding.create(this.#words, this.numbers, () => this.#onEvent(), isCopied);
  }

  /** Who is told of a link from now on. */
  setLink(id: number, events: LinkEvents | undefined): void {
    this.#links[id & PLACE_MASK] = events;
  }

  /** Makes sure that records of so many bytes can be received. */
  makeRoom(recordBytes: number): void {
    const bytes = BATCH_BYTES + recordBytes;
    if (bytes <= this.#batchBytes) return;
    this.#batchBytes = bytes;
    for (let depth = 0; depth < Math.max(1, this.#batches.length); depth++) this.#setBatch(depth);
  }

  /** The batch for a delivery. Throws where deliveries are nested too deep. */
  batch(depth: number): Batch {
    return this.#batches[depth] ?? this.#setBatch(depth);
  }

  #setBatch(depth: number): Batch {
    if (depth >= BATCHES) {
      throw new RangeError(`blocking calls are nested ${depth} deep, the limit is ${BATCHES - 1}`);
    }
    const bytes = new Uint8Array(new ArrayBuffer(this.#batchBytes));
    const records = new Uint32Array(new ArrayBuffer(4 * BATCH_RECORDS * RECORD_WORDS));
    if (this.native.setBatch(depth, bytes, records) !== 0) {
      throw new Error("the addon is of another version than the code that uses it: run npx protoipc build");
    }
    const batch = { bytes, records };
    this.#batches[depth] = batch;
    return batch;
  }

  #onEvent(): void {
    const words = this.#words;
    const id = words[1]!;
    const value = words[2]!;
    const link = this.#links[id & PLACE_MASK];
    switch (words[0]) {
      case Event.RECORDS:
        link?.onRecords(value);
        return;
      case Event.RESUME:
        link?.onResume();
        return;
      case Event.WRITABLE:
        link?.onWritable();
        return;
      case Event.ATTACHED:
        link?.onAttached();
        return;
      case Event.ENDED:
        link?.onEnded(-value);
        return;
      case Event.ACCEPTED:
        this.listeners.get(id)?.onAccepted(value);
        return;
      case Event.FAILED:
        this.listeners.get(id)?.onFailed(-value);
        return;
    }
  }
}
