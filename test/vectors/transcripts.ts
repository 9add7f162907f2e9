import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Flag, type FrameSchema, HelloSchema, Kind } from "../../gen/protoipc/v1/wire_pb.js";

type FrameInit = MessageInitShape<typeof FrameSchema>;

/** What a dialler sends to an acceptor that has the limits of the README, and whether the link outlives it. */
export interface Transcript {
  readonly name: string;
  /** What an accepted one shows, or why it is rejected. */
  readonly text: string;
  readonly accepted: boolean;
  readonly frames: readonly FrameInit[];
  /** Records after the frames, in hexadecimal, that no protobuf code would write. */
  readonly raw?: readonly string[];
}

function helloFrame(init: MessageInitShape<typeof HelloSchema>): FrameInit {
  return { kind: Kind.HELLO, payload: toBinary(HelloSchema, create(HelloSchema, init)) };
}

const HELLO = helloFrame({ minVersion: 1, maxVersion: 1, features: 3n, limits: {}, implementation: "vectors/1" });
const METHOD: FrameInit = { kind: Kind.METHOD, methodId: 1, method: "test.v1.Echo/Say" };
const ONE = Uint8Array.of(1);

function open(streamId: bigint, more: FrameInit = {}): FrameInit {
  return { kind: Kind.OPEN, streamId, flags: Flag.LAST, methodId: 1, payload: ONE, ...more };
}

function data(streamId: bigint, more: FrameInit = {}): FrameInit {
  return { kind: Kind.DATA, streamId, payload: ONE, ...more };
}

function good(name: string, text: string, frames: readonly FrameInit[], raw?: readonly string[]): Transcript {
  return { name, text, accepted: true, frames, ...(raw === undefined ? {} : { raw }) };
}

function bad(name: string, text: string, frames: readonly FrameInit[], raw?: readonly string[]): Transcript {
  return { name, text, accepted: false, frames, ...(raw === undefined ? {} : { raw }) };
}

function repeat(count: number, make: (index: number) => FrameInit): FrameInit[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

const many = (index: number): bigint => BigInt(index * 2 + 1);

export const TRANSCRIPTS: readonly Transcript[] = [
  good("hello-alone", "The least that a dialler sends.", [HELLO]),
  good("hello-wider-range", "Versions 0 to 9 include 1.", [helloFrame({ minVersion: 0, maxVersion: 9 })]),
  good("hello-unknown-features", "Unknown features are ignored.", [
    helloFrame({ minVersion: 1, maxVersion: 1, features: 0xffff_fff0n }),
  ]),
  good("call", "A unary call.", [HELLO, METHOD, open(1n)]),
  good("call-by-name", "A call of a method that was not announced.", [
    HELLO,
    open(1n, { methodId: 0, method: "test.v1.Echo/Say" }),
  ]),
  good("ids-with-gaps", "Stream ids ascend, and need not be neighbours.", [HELLO, METHOD, open(3n), open(9n)]),
  good("unknown-kind", "Kinds from 64 up are skipped.", [HELLO, { kind: 64 as Kind }, { kind: 1_000 as Kind, streamId: 5n }]),
  good("unknown-fields", "Fields that are not known are skipped: 16 to 19, of each wire type.", [HELLO], [
    // OPEN of stream 1 by name, then fields 16 (number), 17 (64 bits), 18 (bytes), 19 (32 bits), then the payload.
    "0803100118012a10746573742e76312e4563686f2f5361798001018901000000000000000092010268699d01000000007a0101",
  ]),
  good("cancel-ended", "A CANCEL may cross the END of its stream.", [
    HELLO,
    METHOD,
    open(1n),
    { kind: Kind.CANCEL, streamId: 1n },
    { kind: Kind.CANCEL, streamId: 1n },
  ]),
  good("credit-ended", "A CREDIT may cross the END of its stream.", [
    HELLO,
    METHOD,
    open(1n),
    { kind: Kind.CREDIT, streamId: 1n, messages: 1 },
  ]),
  good("data-ended", "DATA may cross the END of its stream.", [
    HELLO,
    METHOD,
    open(1n, { flags: 0 }),
    data(1n),
    data(1n, { flags: Flag.LAST }),
  ]),
  good("requests-in-credit", "As many requests as the credit is for.", [
    HELLO,
    METHOD,
    open(1n, { flags: 0 }),
    ...repeat(2, () => data(1n)),
  ]),
  good("overdraw", "One message may overdraw the bytes.", [
    HELLO,
    METHOD,
    open(1n, { flags: 0 }),
    data(1n, { payload: new Uint8Array(500) }),
  ]),
  good("parts", "A message in parts takes one message of credit.", [
    HELLO,
    METHOD,
    open(1n, { flags: 0 }),
    data(1n, { flags: Flag.MORE }),
    data(1n, { flags: Flag.MORE }),
    data(1n, { flags: Flag.MORE }),
    data(1n),
    data(1n),
  ]),
  good("one-way-in-credit", "As many one-way calls as the credit is for.", [
    HELLO,
    METHOD,
    ...repeat(2, (index) => open(many(index), { flags: Flag.LAST | Flag.ONE_WAY })),
  ]),
  good("calls-in-limit", "As many calls as may be in flight.", [HELLO, METHOD, ...repeat(3, (index) => open(many(index)))]),
  good("drain", "The dialler opens no more.", [HELLO, METHOD, open(1n), { kind: Kind.DRAIN }]),
  good("too-large-message", "A message above the limit ends its call, not the link.", [
    HELLO,
    METHOD,
    open(1n, { payload: new Uint8Array(1_025) }),
  ]),
  good("unknown-method", "A method that is not served ends its call, not the link.", [
    HELLO,
    open(1n, { methodId: 0, method: "no.Such/Method" }),
  ]),
  good("unknown-flags", "Unknown flags are ignored.", [HELLO, METHOD, open(1n, { flags: 0xffff_fff1 })]),

  bad("no-hello", "The first frame is no HELLO.", [METHOD]),
  bad("open-before-hello", "The first frame is an OPEN.", [open(1n, { methodId: 0, method: "a.B/C" }), HELLO]),
  bad("unknown-before-hello", "The first frame is of a kind that is skipped elsewhere.", [{ kind: 64 as Kind }, HELLO]),
  bad("second-hello", "A second HELLO.", [HELLO, HELLO]),
  bad("hello-without-payload", "A HELLO without its message.", [{ kind: Kind.HELLO }]),
  bad("version-too-high", "Versions 2 to 3.", [helloFrame({ minVersion: 2, maxVersion: 3 })]),
  bad("version-too-low", "Version 0 alone.", [helloFrame({})]),
  bad("hello-long-name", "A name of 65 bytes.", [helloFrame({ minVersion: 1, maxVersion: 1, name: "n".repeat(65) })]),
  bad("hello-long-implementation", "An implementation of 65 bytes.", [
    helloFrame({ minVersion: 1, maxVersion: 1, implementation: "i".repeat(65) }),
  ]),
  bad("hello-long-incarnation", "An incarnation of 17 bytes.", [
    helloFrame({ minVersion: 1, maxVersion: 1, incarnation: new Uint8Array(17) }),
  ]),
  bad("hello-garbage", "A HELLO whose message is none.", [{ kind: Kind.HELLO, payload: Uint8Array.of(0xff) }]),
  bad("kind-0", "Kind 0 is below 64 and not known.", [HELLO, {}]),
  bad("kind-13", "Kind 13 is below 64 and not known.", [HELLO, { kind: 13 as Kind }]),
  bad("kind-63", "Kind 63 is below 64 and not known.", [HELLO, { kind: 63 as Kind }]),
  bad("open-even", "A dialler's stream has an odd id.", [HELLO, METHOD, open(2n)]),
  bad("open-zero", "Stream 0 is the link itself.", [HELLO, METHOD, open(0n)]),
  bad("open-descending", "Stream ids ascend.", [HELLO, METHOD, open(5n), open(3n)]),
  bad("open-twice", "A stream id is used once.", [HELLO, METHOD, open(1n), open(1n)]),
  bad("open-unannounced", "The method id was not announced.", [HELLO, open(1n)]),
  bad("open-without-method", "Neither a method nor its id.", [HELLO, open(1n, { methodId: 0 })]),
  bad("method-twice", "A method id is announced once.", [HELLO, METHOD, METHOD]),
  bad("method-without-id", "A METHOD without an id.", [HELLO, { kind: Kind.METHOD, method: "a.B/C" }]),
  bad("method-without-name", "A METHOD without a name.", [HELLO, { kind: Kind.METHOD, methodId: 1 }]),
  bad("too-many-methods", "More methods than max_methods, which is 4.", [
    HELLO,
    ...repeat(5, (index) => ({ kind: Kind.METHOD, methodId: index + 1, method: `a.B/M${index}` })),
  ]),
  bad("too-many-calls", "More calls in flight than max_calls, which is 3.", [
    HELLO,
    METHOD,
    ...repeat(4, (index) => open(many(index))),
  ]),
  bad("call-bytes", "A call while the balance of call_bytes, which is 2,000, is not positive.", [
    HELLO,
    METHOD,
    open(1n, { payload: new Uint8Array(1_000) }),
    open(3n, { payload: new Uint8Array(1_000) }),
    open(5n),
  ]),
  bad("one-way-credit", "More one-way calls than one_way_messages, which is 2.", [
    HELLO,
    METHOD,
    ...repeat(3, (index) => open(many(index), { flags: Flag.LAST | Flag.ONE_WAY })),
  ]),
  bad("one-way-bytes", "A one-way call while the balance of one_way_bytes, which is 100, is not positive.", [
    HELLO,
    METHOD,
    open(1n, { flags: Flag.LAST | Flag.ONE_WAY, payload: new Uint8Array(100) }),
    open(3n, { flags: Flag.LAST | Flag.ONE_WAY }),
  ]),
  bad("data-message-credit", "More messages than initial_messages, which is 2.", [
    HELLO,
    METHOD,
    open(1n, { flags: 0 }),
    ...repeat(3, () => data(1n)),
  ]),
  bad("data-byte-credit", "A message while the balance of initial_bytes, which is 200, is not positive.", [
    HELLO,
    METHOD,
    open(1n, { flags: 0 }),
    data(1n, { payload: new Uint8Array(200) }),
    data(1n),
  ]),
  bad("data-after-last", "A request after the last.", [HELLO, METHOD, open(1n), data(1n)]),
  bad("data-never-opened", "DATA on a stream that never was.", [HELLO, data(7n)]),
  bad("data-own-never-opened", "DATA on a stream that the acceptor never opened.", [HELLO, data(2n)]),
  bad("data-zero", "DATA on the link itself.", [HELLO, data(0n)]),
  bad("cancel-never-opened", "CANCEL of a stream that never was.", [HELLO, { kind: Kind.CANCEL, streamId: 1n }]),
  bad("credit-never-opened", "CREDIT on a stream that never was.", [HELLO, { kind: Kind.CREDIT, streamId: 1n, messages: 1 }]),
  bad("end-from-caller", "END from the caller.", [HELLO, METHOD, open(1n), { kind: Kind.END, streamId: 1n }]),
  bad("headers-from-caller", "HEADERS from the caller.", [HELLO, METHOD, open(1n), { kind: Kind.HEADERS, streamId: 1n }]),
  bad("key-from-caller", "KEY from the caller.", [
    HELLO,
    METHOD,
    open(1n),
    { kind: Kind.KEY, streamId: 1n, keyId: 1, payload: ONE },
  ]),
  bad("lost-from-caller", "LOST from the caller.", [HELLO, METHOD, open(1n), { kind: Kind.LOST, streamId: 1n, seq: 1n, lost: 1n }]),
  bad("end-never-opened", "END of a stream that the acceptor never opened.", [HELLO, { kind: Kind.END, streamId: 2n }]),
  bad("metadata-too-large", "Metadata above max_metadata_bytes, which is 100.", [
    HELLO,
    METHOD,
    open(1n, { metadata: [{ key: "k", value: new Uint8Array(100) }] }),
  ]),
  bad("header-too-large", "A header above max_header_bytes, which is 1,024.", [
    HELLO,
    open(1n, { methodId: 0, method: "m".repeat(1_100) }),
  ]),
  bad("credit-above-max", "The sum of credit is above 2^53 - 1.", [
    HELLO,
    METHOD,
    open(1n),
    { kind: Kind.CREDIT, streamId: 1n, bytes: 9_007_199_254_740_991n },
  ]),
  bad("one-way-credit-above-max", "The sum of one-way credit is above 2^53 - 1.", [
    HELLO,
    { kind: Kind.CREDIT, flags: Flag.ONE_WAY, bytes: 9_007_199_254_740_991n },
  ]),
  bad("garbage", "A record that is no frame.", [HELLO], ["ffffffff"]),
];
