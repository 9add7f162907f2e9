/**
 * The seam between TypeScript and the addon: what its C files offer, and where it is found. Whoever calls it keeps to
 * the types: the addon reads a wrong one as 0.
 *
 * Numbers: an id is above 0 and names one thing for good; a negative result is an error of protoipc.h. Links, blocks and
 * all else belong to the thread whose `create` made them.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

/** The errors of protoipc.h that are told apart here. */
export const Code = {
  OK: 0,
  EINVAL: -1,
  EAGAIN: -2,
  ECLOSED: -3,
  EPROTOCOL: -4,
  EVERSION: -5,
  EDENIED: -6,
  ENOMEM: -7,
  EDESCRIPTORS: -8,
  ENOTFOUND: -9,
  EINUSE: -10,
  ETOOLARGE: -11,
  ELIMIT: -12,
} as const;

/** What the addon tells: `words[0]`; `words[1]` is the link's or listener's id. */
export const Event = {
  /** `words[2]` records of the link are in batch 0. */
  RECORDS: 1,
  /** The call before threw: the rest of its records is still in batch 0. */
  RESUME: 2,
  /** The link can be used. */
  ATTACHED: 3,
  /** The listener took the link `words[2]`, which is not attached yet. */
  ACCEPTED: 4,
  /** The link cannot go on: the error is `-words[2]`. Close it. Nothing more is told of it. */
  ENDED: 5,
  /** `reserve`, which was refused, may be asked again. */
  WRITABLE: 6,
  /** The listener cannot accept for now, and has stopped: the error is `-words[2]`. */
  FAILED: 7,
} as const;

/** How the event loop waits: as `ShmOptions.waiting`. */
export const Waiting = { ADAPTIVE: 0, EVENT: 1, SPIN: 2 } as const;

/** The words of a link that both sides write: where the next record's header goes in its own segment, */
export const CONTROL_NEXT = 0;
/** where the room for records ends, */
export const CONTROL_END = 1;
/** how many records are laid there and not committed, */
export const CONTROL_COUNT = 2;
/** and the length of each of their bodies. */
export const CONTROL_LENGTHS = 3;
export const CONTROL_WORDS = 128;

/** A record takes a header of so many bytes, then its body, then zero bytes up to a multiple of so many. */
export const RECORD_HEADER_BYTES = 8;
export const RECORD_ALIGN_BYTES = 8;

/** The bits of an id that no other thing of its kind has at the same time. */
export const PLACE_MASK = 0xfffff;

export const EVENT_WORDS = 4;
export const NUMBERS = 8;

/** Batches: how many, and how many records each has room for, of so many words. */
export const BATCHES = 8;
export const BATCH_RECORDS = 256;
export const RECORD_WORDS = 10;
/** The words of a record that are read here: where its body is in the batch's bytes, its length, */
export const RECORD_OFFSET = 0;
export const RECORD_BYTES = 1;
/** whether its payload stands in a block, and the length of that (the lower half; the upper one follows). */
export const RECORD_HAS_BLOCK = 2;
export const RECORD_BLOCK_BYTES = 8;

/** A block that we hold: its five numbers are passed one by one. */
type BlockNumbers = [index: number, generation: number, segment: number, offset: number, bytes: number];

/** What one user of the addon has, with state of its own. Results that have several parts are left in `numbers`. */
export interface Native {
  /** Where batch `index` goes: `bytes` has room for the largest record of any link, `records` for all words. */
  setBatch(index: number, bytes: Uint8Array, records: Uint32Array): number;

  /** Makes an arena of at most `maxBytes`. Its id, or an error. */
  arenaOpen(maxBytes: number): number;
  /** Detaches what was shown of it. Links that use it keep it. */
  arenaClose(arena: number): void;
  /** A block of at least `bytes`: its five numbers. 0, or an error. */
  arenaAllocate(arena: number, bytes: number): number;
  /** Cuts a block to its first `usedBytes`. 0, or an error. */
  arenaTrim(arena: number, ...rest: [...BlockNumbers, usedBytes: number]): number;
  /** Ends our hold. 0, or an error. */
  arenaRelease(arena: number, ...block: BlockNumbers): number;
  /** Copies `from` to the block's beginning. 0, or an error. */
  arenaFill(arena: number, ...rest: [...BlockNumbers, from: Uint8Array]): number;
  /**
   * The segment's memory, asked for once. It is detached when the segment goes. `undefined` where external memory is
   * forbidden.
   */
  arenaSegment(arena: number, segment: number): ArrayBuffer | undefined;
  /** The block's memory alone, and in `numbers[0]` the id for `windowEnd`. `undefined` as with `arenaSegment`. */
  arenaLend(arena: number, ...block: BlockNumbers): ArrayBuffer | undefined;
  /**
   * Detaches what was lent or borrowed; the borrowed is given back. 1 where its memory was moved to another buffer: then
   * the addon releases a lent block, or gives a borrowed one back, when that buffer is gone. Else 0.
   */
  windowEnd(window: number): number;

  /** Listens at a path that is free. The id, or an error. A limit of 0 is the default of protoipc.h. */
  listen(path: string, arena: number, waiting: number, ringBytes: number, maxBlockBytes: number): number;
  /** Accepts again after FAILED. */
  listenerResume(listener: number): void;
  listenerClose(listener: number): void;
  /** Connects. The id of a link that is not attached yet, or an error. */
  dial(path: string, arena: number, waiting: number, ringBytes: number, maxBlockBytes: number): number;

  /** The peer's pid, uid, gid; the largest body out, and in; the bytes of our segment. 0, or an error. */
  linkFacts(link: number): number;
  /** Why the link cannot go on; empty where the error says it all. */
  linkReason(link: number): string;
  /**
   * Once attached: where its control words are. With a mirror, of our segment's size, bodies are laid there and copied
   * at each commit; without, the segment's own memory is returned, `undefined` where external memory is forbidden.
   */
  linkSetUp(link: number, control: Uint32Array, mirror: Uint8Array | undefined): ArrayBuffer | undefined;
  /** Begins delivery. */
  linkStart(link: number): void;
  /** Commits what is laid; finds room for one body at least. 0; EAGAIN: WRITABLE follows; or what ended the link. */
  reserve(link: number, bytes: number): number;
  /** Commits what is laid, gives blocks back, rings if the peer sleeps, finds room anew. */
  flush(link: number): void;
  /** Commits what is laid, and a copy of `body`. Does not ring. As `reserve`, but nothing follows EAGAIN. */
  send(link: number, body: Uint8Array): number;
  /**
   * Commits what is laid, then the head of `headBytes` that stands where the next body goes, with `usedBytes` of the block
   * from `from` on as its payload. 0. ELIMIT, EAGAIN: the head still stands there, in a slot of `slotBytes`.
   */
  commitBlock(
    link: number,
    headBytes: number,
    slotBytes: number,
    ...rest: [...BlockNumbers, from: number, usedBytes: number]
  ): number;
  /** Receives into a batch, waiting for at most `timeoutMs`: how many, or what ended the link. `numbers[0]`: WRITABLE. */
  receive(link: number, timeoutMs: number, batch: number): number;
  /** Copies the payload that a record of a batch names. 0, or an error. */
  copyBlock(link: number, batch: number, record: number, to: Uint8Array): number;
  /** Its memory, and in `numbers[0]` the id for `windowEnd`, which gives it back. `undefined` as with `arenaSegment`. */
  borrow(link: number, batch: number, record: number): ArrayBuffer | undefined;
  /** Gives the block back that a record of a batch names. */
  giveBack(link: number, batch: number, record: number): void;
  /** Commits what is laid, and tells the peer that this is the end. Nothing more is told of the link here. */
  linkShutdown(link: number): void;
  /** Lets go of the link, and detaches what is borrowed. The peer can still read what was sent. */
  linkClose(link: number): void;
  /** In the order of `protoipc_link_stats`. */
  linkStats(link: number): number;
  /** For tests: how many links, listeners, arenas and windows there are. */
  counts(): void;
}

/** The addon. */
export interface Binding {
  /** The version of the C library: (major << 16) | (minor << 8) | patch. */
  readonly version: number;
  /**
   * A user of the addon: `onEvent` is called from the event loop, what it is about stands in `words`. `forbidsExternal`:
   * no memory but the engine's own is shown to JavaScript, as where the platform forbids it.
   */
  create(words: Uint32Array, numbers: Float64Array, onEvent: () => void, forbidsExternal: boolean): Native;
  /** A short English text for an error. */
  errorText(code: number): string;
  /** The pid, uid and gid of who is at the other end of a connected Unix socket, where the kernel knows. */
  socketPeer(fd: number): [pid: number, uid: number, gid: number] | undefined;
  /** Takes flock(LOCK_EX) without waiting: 0; EINUSE: another has it. It ends with the descriptor. */
  lock(fd: number): number;
  /** Makes a FIFO for this user alone. 0, or the negative error number of the system. */
  mkfifo(path: string): number;
}

/** The addon, or in one sentence why there is none. */
export type Loaded =
  | { readonly binding: Binding; readonly path: string }
  | {
      readonly binding: undefined;
      /** `platform`: not for this system; `missing`: not built; `broken`: there is one, and it does not load. */
      readonly kind: "platform" | "missing" | "broken";
      readonly reason: string;
    };

const HOW = "npx protoipc build";
const FILE = "protoipc.node";

let loaded: Loaded | undefined;

/** Loads the addon, once: the one that came with the package, else the one that was built here. */
export function loadBinding(): Loaded {
  loaded ??= load();
  return loaded;
}

function load(): Loaded {
  const target = `${process.platform}-${process.arch}`;
  if (process.platform !== "linux") {
    return { binding: undefined, kind: "platform", reason: `shared memory needs Linux; this is ${target}` };
  }
  const require = createRequire(import.meta.url);
  const broken: string[] = [];
  for (const path of candidates(target)) {
    if (!existsSync(path)) continue;
    try {
      return { binding: require(path) as Binding, path };
    } catch (error) {
      broken.push(`${path}: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`);
    }
  }
  if (broken.length === 0) {
    const reason = `shared memory is not built for ${target}: run ${HOW}, which needs a C compiler`;
    return { binding: undefined, kind: "missing", reason };
  }
  const reason = `the native part of shared memory does not load; ${HOW} makes it anew (${broken.join("; ")})`;
  return { binding: undefined, kind: "broken", reason };
}

/** The path of an addon to load, and no other: one that was built with a sanitizer. */
const CHOSEN = "PROTOIPC_ADDON";

/** Compiled, this file stands in dist/bindings/node; the addon is where its sources are, in both cases. */
function candidates(target: string): string[] {
  const chosen = process.env[CHOSEN];
  if (chosen !== undefined && chosen !== "") return [chosen];
  const folders = ["./", "../../../bindings/node/"];
  return ["prebuilds", "build"].flatMap((kind) =>
    folders.map((folder) => fileURLToPath(new URL(`${folder}${kind}/${target}/${FILE}`, import.meta.url))),
  );
}
