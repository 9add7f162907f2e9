// What is done with blocks, and how links end.
import { accepted, crash, death, seen, stall } from "./outcome.js";
import { ECLOSED, EPROTOCOL, EVERSION, OVERFLOW, atMost, hostileEndAtMs, type Row } from "./row.js";

const BLOCKS: readonly Row[] = [
  {
    program: "blocks",
    attack: "range",
    does: "names blocks that are not in their segment, or too large",
    check: "BLOCK_RANGE",
    without: death("the victim reads behind the segment"),
    codes: [EPROTOCOL],
    reason: /^a block (has|of) \d+ bytes/,
    isEnded: true,
  },
  {
    program: "blocks",
    attack: "changing",
    does: "changes the names of blocks after they were checked",
    check: "NAME_TWICE",
    without: death("the victim reads where it was told to"),
    codes: [EPROTOCOL, ECLOSED],
    reason: /^a block of \d+ bytes/,
    isEnded: false,
  },
  {
    program: "blocks",
    attack: "unknown",
    does: "names segments that were never announced, or are retired",
    check: "SEGMENT_KNOWN",
    without: crash("the victim reads through NULL", /SEGV|null pointer/),
    codes: [EPROTOCOL],
    reason: /^a record names a block of segment|^the reserved bytes of a block's name/,
    isEnded: true,
  },
  {
    program: "blocks",
    attack: "endless",
    does: "announces segments without end",
    check: "SEGMENT_LIMIT",
    without: crash("the victim writes behind its table", OVERFLOW),
    codes: [EPROTOCOL],
    reason: /max_segments is 8$/,
    isEnded: true,
  },
  {
    program: "blocks",
    attack: "too-much",
    does: "announces more memory than may be mapped, or other sizes than there are",
    check: "MAPPED_LIMIT",
    without: seen(
      "the victim's address space is the peer's to fill",
      ({ report }) => (report?.hostile.mostMappedBytes ?? 0) > 24 << 20,
    ),
    codes: [EPROTOCOL],
    reason: /max_mapped_bytes is 16777216$|^the peer announced segment 0 of \d+ bytes; it has 6291456$/,
    isEnded: true,
    bound: ({ report }) => atMost("what the victim has mapped", report?.hostile.mostMappedBytes, 24 << 20),
  },
  {
    program: "blocks",
    attack: "order",
    does: "announces segments out of order, or twice",
    check: "SEGMENT_ORDER",
    without: crash("the victim does not find a segment again, and reads through NULL", /SEGV|null pointer/),
    codes: [EPROTOCOL],
    reason: /^the peer announced segment \d+; the next must be/,
    isEnded: true,
  },
  {
    program: "blocks",
    attack: "retire-held",
    does: "retires a segment while the victim looks at a block of it, or what is retired already",
    check: "RETIRE_HELD",
    without: crash("the victim reads what is no longer mapped", /SEGV|null pointer/),
    codes: [EPROTOCOL],
    reason: /^the peer retired segment \d+, (of which we hold|which it has not)/,
    isEnded: true,
  },
  {
    program: "blocks",
    attack: "two-places",
    does: "gives one name to blocks of two segments, and retires the one",
    check: "HELD_SEGMENT",
    without: crash("the victim counts the hold where it is not", /SEGV|null pointer/),
    codes: [EPROTOCOL],
    reason: /^block 1 of generation 1, which we hold, is now said to be in segment 1$/,
    isEnded: true,
  },
  {
    program: "blocks",
    attack: "sink",
    does: "sends blocks without end, and takes none of what is given back",
    check: "HELD_MOST",
    without: seen(
      "what waits to be told grows without end",
      ({ report }) => (report?.hostile.blocks ?? 0) > 120_000,
    ),
    codes: [EPROTOCOL],
    reason: /^the peer sent more blocks than were given back and 65536$/,
    isEnded: true,
    bound: ({ report }) => atMost("the blocks that were taken", report?.hostile.blocks, 80_000),
  },
];

const HOLDS: readonly Row[] = [
  {
    program: "holds",
    attack: "twice",
    does: "gives blocks back twice, and by the thousand",
    check: "GIVE_BACK_HELD",
    without: seen(
      "the honest client's blocks are written over while it holds them",
      ({ honest }) => honest.error === "wrong" || honest.error === "link",
    ),
    codes: [EPROTOCOL],
    reason: /^the peer gave back block \d+ of generation \d+, which it does not hold$/,
    isEnded: true,
  },
  {
    program: "holds",
    attack: "wild-index",
    does: "gives back blocks that never were",
    check: "GIVE_BACK_INDEX",
    without: crash("the victim reads outside of its table", /heap-buffer-overflow|SEGV|null pointer/),
    codes: [EPROTOCOL],
    reason: /^the peer gave back block \d+ of generation 1, which it does not hold$/,
    isEnded: true,
  },
  {
    program: "holds",
    attack: "generation",
    does: "gives back another block that had the index",
    check: "GIVE_BACK_GENERATION",
    without: accepted("it counts as the block that has the index now"),
    codes: [EPROTOCOL],
    reason: /^the peer gave back block \d+ of generation \d+, which it does not hold$/,
    isEnded: true,
  },
  {
    program: "holds",
    attack: "hoard",
    does: "takes every publication and gives none back",
    check: "HOLD_LIMIT",
    without: stall("the arena is full, and nobody gets a publication"),
    codes: [ECLOSED],
    isEnded: false,
    bound: ({ report, hostile }) =>
      atMost("what the hoarder has", hostile?.["held"], 16) ??
      atMost("publications without a block", report?.unpublished, 0),
  },
  {
    program: "holds",
    attack: "scribble",
    does: "tries every way to write to the victim's segments: maps, writes, holes, sizes, /proc/self/fd",
    check: "OWN_SEALS",
    without: seen(
      "the honest client reads what the adversary wrote",
      ({ honest }) => honest.error === "wrong",
    ),
    codes: [ECLOSED],
    isEnded: false,
    bound: ({ hostile }) =>
      hostile?.["segments"] === 1
        ? atMost("the ways that worked", hostile?.["written"], 0)
        : "it got no segment",
  },
  {
    program: "holds",
    attack: "never-takes",
    does: "says a lot and never moves its head",
    check: "QUEUE_BOUND",
    without: crash("its answers pile up (the queue is the user's: served.h has one)", OVERFLOW),
    codes: [ECLOSED],
    isEnded: false,
    bound: ({ report }) =>
      atMost("what the victim took from a peer that takes nothing", report?.hostile.received, 400),
  },
];

const ENDS: readonly Row[] = [
  {
    program: "ends",
    attack: "closing",
    does: "commits records and closes at once, 25 times",
    check: "DRAIN",
    without: seen(
      "what was committed is lost",
      ({ report, hostile }) =>
        report !== undefined && report.hostile.received < (hostile?.["committed"] ?? 0),
    ),
    codes: [ECLOSED],
    isEnded: false,
    bound: ({ report, hostile }) =>
      report?.hostile.received === hostile?.["committed"]
        ? undefined
        : `of ${hostile?.["committed"]} committed records ${report?.hostile.received} came`,
  },
  {
    program: "ends",
    attack: "anywhere",
    does: "closes, or is killed, at twelve points of a link's life, holding blocks or being held",
    check: "DEAD_HOLDS",
    without: crash("the arena keeps the freed link in its list", /heap-use-after-free/),
    codes: [ECLOSED],
    isEnded: false,
  },
  {
    program: "ends",
    attack: "forked",
    does: "is killed while a child of it keeps the socket open",
    check: "PIDFD",
    without: seen("the dead link is there for as long as the child is", (outcome) => {
      const endedAtMs = hostileEndAtMs(outcome);
      return endedAtMs !== undefined && endedAtMs >= (outcome.hostile?.["letGoAtMs"] ?? Infinity);
    }),
    codes: [ECLOSED],
    isEnded: false,
    bound(outcome) {
      const lateMs = (hostileEndAtMs(outcome) ?? Infinity) - (outcome.hostile?.["diedAtMs"] ?? 0);
      return atMost("how late the death was seen, in ms", lateMs, 1_000);
    },
  },
  {
    program: "ends",
    attack: "stranger",
    asRoot: true,
    does: "connects as another user",
    check: "PEER_USER",
    without: seen("a stranger gets the victim's segment", ({ hostile }) => hostile?.["gotSegment"] === 1),
    codes: [],
    isEnded: true,
    bound: ({ hostile }) =>
      atMost("whether a stranger gets a segment", hostile?.["gotSegment"], 0) ??
      (hostile?.["rejectedWhy"] === 2 ? undefined : "it was not told why"),
  },
  {
    program: "ends",
    attack: "chaos",
    does: "turns words of its segment at random: headers, cursors, records, all of it, while it is used",
    check: "RECORD_LIMIT",
    without: crash("the victim writes behind its buffer", OVERFLOW),
    codes: [EPROTOCOL, ECLOSED, EVERSION],
    isEnded: false,
  },
];

export const BLOCK_ROWS: readonly Row[] = [...BLOCKS, ...HOLDS, ...ENDS];
