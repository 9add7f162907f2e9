import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { anyPack, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { Flag, type FrameSchema, HelloSchema, Kind } from "../../gen/protoipc/v1/wire_pb.js";

/** A frame that every implementation reads and writes alike. */
export interface NamedFrame {
  readonly name: string;
  readonly description: string;
  readonly frame: MessageInitShape<typeof FrameSchema>;
}

const MAX_UINT32 = 4_294_967_295;
const MAX_NUMBER = 9_007_199_254_740_991n;
const text = new TextEncoder();

function frame(name: string, description: string, init: MessageInitShape<typeof FrameSchema>): NamedFrame {
  return { name, description, frame: init };
}

function hello(init: MessageInitShape<typeof HelloSchema>): Uint8Array {
  return toBinary(HelloSchema, create(HelloSchema, init));
}

const sizes: readonly number[] = [1, 127, 128, 129, 16_383, 16_384];

/** Frames of every kind, and the edges of every field. */
export const GOOD_FRAMES: readonly NamedFrame[] = [
  frame("empty", "No field at all: kind 0, which is never sent but is a well-formed frame.", {}),
  frame("hello-least", "The least Hello that has a meaning.", {
    kind: Kind.HELLO,
    payload: hello({ minVersion: 1, maxVersion: 1 }),
  }),
  frame("hello-full", "A Hello with every field.", {
    kind: Kind.HELLO,
    payload: hello({
      minVersion: 1,
      maxVersion: 2,
      features: 3n,
      limits: {
        maxMessageBytes: 1n,
        maxHeaderBytes: 2,
        maxMetadataBytes: 3,
        maxCalls: 4,
        callBytes: 5n,
        initialMessages: 6,
        initialBytes: 7n,
        oneWayMessages: 8,
        oneWayBytes: 9n,
        maxKeys: 10,
        maxMethods: 11,
        maxNesting: 12,
      },
      name: "market",
      implementation: "typescript/0.1.0",
      incarnation: Uint8Array.from({ length: 16 }, (_, i) => i),
      clock: { bootId: "5fe1eb0c-9a17-4bd5-9f3c-3f4a7d0a9c11", timeNamespace: 4_026_531_834n },
      pid: 4_194_304,
    }),
  }),
  frame("hello-empty", "A Hello whose message is empty: every field has its default.", {
    kind: Kind.HELLO,
    payload: hello({}),
  }),
  frame("method", "Announces a method.", { kind: Kind.METHOD, methodId: 1, method: "market.v1.Market/Price" }),
  frame("method-fingerprint", "Announces a method with the fingerprint of its schema.", {
    kind: Kind.METHOD,
    methodId: 7,
    method: "market.v1.Market/Quotes",
    payload: Uint8Array.of(0xde, 0xad, 0xbe, 0xef),
  }),
  frame("method-unicode", "A method's name is UTF-8.", { kind: Kind.METHOD, methodId: 2, method: "a.B/Größe-木-🌲" }),
  frame("method-id-max", "The largest method id.", { kind: Kind.METHOD, methodId: MAX_UINT32, method: "a.B/C" }),
  frame("open-by-id", "Begins a unary call.", {
    kind: Kind.OPEN,
    streamId: 1n,
    flags: Flag.LAST,
    methodId: 1,
    payload: Uint8Array.of(0x0a, 0x01, 0x61),
  }),
  frame("open-by-name", "Begins a call of a method that was not announced.", {
    kind: Kind.OPEN,
    streamId: 2n,
    flags: Flag.LAST,
    method: "market.v1.Market/Price",
    payload: new Uint8Array(0),
  }),
  frame("open-streaming", "Begins a call whose requests follow.", { kind: Kind.OPEN, streamId: 3n, methodId: 2 }),
  frame("open-empty-message", "The first request is there, and is the empty message.", {
    kind: Kind.OPEN,
    streamId: 5n,
    methodId: 2,
    payload: new Uint8Array(0),
  }),
  frame("open-deadline", "A deadline on the clock that both sides share.", {
    kind: Kind.OPEN,
    streamId: 7n,
    flags: Flag.LAST,
    methodId: 1,
    timeUs: 123_456_789_012n,
    payload: Uint8Array.of(1),
  }),
  frame("open-timeout", "A deadline as the time that is left.", {
    kind: Kind.OPEN,
    streamId: 9n,
    flags: Flag.LAST,
    methodId: 1,
    timeoutUs: 50_000n,
    payload: Uint8Array.of(1),
  }),
  frame("open-credit", "More credit than the initial one.", {
    kind: Kind.OPEN,
    streamId: 11n,
    flags: Flag.LAST,
    methodId: 3,
    messages: 1_008,
    bytes: 1_032_192n,
    payload: Uint8Array.of(1),
  }),
  frame("open-metadata", "Metadata: text, bytes, a repeated key, an empty value.", {
    kind: Kind.OPEN,
    streamId: 13n,
    flags: Flag.LAST,
    methodId: 1,
    metadata: [
      { key: "trace-id", value: text.encode("abc") },
      { key: "token-bin", value: Uint8Array.of(0, 255, 128) },
      { key: "trace-id", value: text.encode("def") },
      { key: "empty", value: new Uint8Array(0) },
    ],
    payload: Uint8Array.of(1),
  }),
  frame("open-one-way", "A one-way call.", {
    kind: Kind.OPEN,
    streamId: 15n,
    flags: Flag.LAST | Flag.ONE_WAY,
    methodId: 4,
    payload: text.encode("note"),
  }),
  frame("open-part", "The first part of a first request that goes on in DATA.", {
    kind: Kind.OPEN,
    streamId: 17n,
    flags: Flag.MORE,
    methodId: 1,
    payload: new Uint8Array(64).fill(0x55),
  }),
  frame("open-everything", "Every field that an OPEN may have.", {
    kind: Kind.OPEN,
    streamId: 19n,
    flags: Flag.LAST | Flag.MORE | Flag.ONE_WAY,
    methodId: 5,
    timeUs: 1n,
    timeoutUs: 2n,
    messages: 3,
    bytes: 4n,
    metadata: [{ key: "k", value: text.encode("v") }],
    payload: Uint8Array.of(9),
  }),
  frame("data", "A message.", { kind: Kind.DATA, streamId: 1n, payload: text.encode("hello") }),
  frame("data-empty", "The empty message.", { kind: Kind.DATA, streamId: 1n, payload: new Uint8Array(0) }),
  frame("data-last", "The last request.", { kind: Kind.DATA, streamId: 1n, flags: Flag.LAST, payload: Uint8Array.of(1) }),
  frame("data-only-last", "No request follows; none is in the frame.", {
    kind: Kind.DATA,
    streamId: 1n,
    flags: Flag.LAST,
  }),
  frame("data-part", "A part of a message.", {
    kind: Kind.DATA,
    streamId: 1n,
    flags: Flag.MORE,
    payload: Uint8Array.of(1, 2, 3),
  }),
  frame("data-unkeyed", "A publication of a topic without a key.", {
    kind: Kind.DATA,
    streamId: 4n,
    seq: 1n,
    payload: Uint8Array.of(1),
  }),
  frame("data-keyed", "A publication of a key.", {
    kind: Kind.DATA,
    streamId: 4n,
    keyId: 3,
    seq: 77n,
    payload: Uint8Array.of(1),
  }),
  frame("data-lost", "A publication before which others were lost.", {
    kind: Kind.DATA,
    streamId: 4n,
    keyId: 3,
    seq: 90n,
    lost: 12n,
    payload: Uint8Array.of(1),
  }),
  frame("headers-empty", "Confirms a subscription.", { kind: Kind.HEADERS, streamId: 4n }),
  frame("headers", "Response metadata.", {
    kind: Kind.HEADERS,
    streamId: 1n,
    metadata: [{ key: "server", value: text.encode("a b~") }],
  }),
  frame("end-well", "A call that ended well, without a message.", { kind: Kind.END, streamId: 1n }),
  frame("end-message", "A call that ended well with its response.", {
    kind: Kind.END,
    streamId: 1n,
    payload: text.encode("reply"),
  }),
  frame("end-empty-message", "A call that ended well with the empty message.", {
    kind: Kind.END,
    streamId: 1n,
    payload: new Uint8Array(0),
  }),
  frame("end-trailer", "Trailing metadata.", {
    kind: Kind.END,
    streamId: 1n,
    metadata: [{ key: "took-us", value: text.encode("12") }],
    payload: Uint8Array.of(1),
  }),
  frame("end-status", "A call that failed.", {
    kind: Kind.END,
    streamId: 1n,
    status: { code: 5, message: "no such symbol" },
  }),
  frame("end-status-zero", "A status that is there and says OK.", { kind: Kind.END, streamId: 1n, status: {} }),
  frame("end-status-unknown-code", "A code that google.rpc.Code does not have.", {
    kind: Kind.END,
    streamId: 1n,
    status: { code: 99, message: "?" },
  }),
  frame("end-status-details", "Typed details.", {
    kind: Kind.END,
    streamId: 1n,
    status: {
      code: 3,
      message: "größer als 4",
      details: [anyPack(StringValueSchema, create(StringValueSchema, { value: "a detail" }))],
    },
  }),
  frame("end-not-started", "No handler was started.", {
    kind: Kind.END,
    streamId: 1n,
    flags: Flag.NOT_STARTED,
    status: { code: 12, message: "no such method" },
  }),
  frame("cancel", "The caller has lost interest.", { kind: Kind.CANCEL, streamId: 1n, status: { code: 1 } }),
  frame("cancel-plain", "The same without a reason.", { kind: Kind.CANCEL, streamId: 1n }),
  frame("credit", "Credit for messages and bytes.", { kind: Kind.CREDIT, streamId: 1n, messages: 8, bytes: 8_192n }),
  frame("credit-messages", "Credit for messages alone.", { kind: Kind.CREDIT, streamId: 1n, messages: 1 }),
  frame("credit-bytes", "Credit for bytes alone.", { kind: Kind.CREDIT, streamId: 1n, bytes: 1n }),
  frame("credit-one-way", "Credit for one-way calls.", {
    kind: Kind.CREDIT,
    flags: Flag.ONE_WAY,
    messages: 512,
    bytes: 65_536n,
  }),
  frame("key", "Announces a key.", { kind: Kind.KEY, streamId: 4n, keyId: 1, payload: text.encode("\n\u0004XNAS") }),
  frame("key-empty", "The key message may be empty.", {
    kind: Kind.KEY,
    streamId: 4n,
    keyId: MAX_UINT32,
    payload: new Uint8Array(0),
  }),
  frame("lost", "Publications are lost.", { kind: Kind.LOST, streamId: 4n, keyId: 1, seq: 10n, lost: 3n }),
  frame("lost-unkeyed", "The same for a topic without a key.", { kind: Kind.LOST, streamId: 4n, seq: 10n, lost: 1n }),
  frame("drain", "The last stream that is finished is 41.", { kind: Kind.DRAIN, streamId: 41n }),
  frame("drain-none", "No stream was accepted.", { kind: Kind.DRAIN }),
  frame("close", "The link is closed with a reason.", {
    kind: Kind.CLOSE,
    status: { code: 14, message: "the peer closed its endpoint" },
  }),
  frame("close-plain", "The link is closed.", { kind: Kind.CLOSE }),
  frame("unknown-kind", "A kind from 64 up that nobody knows: to be skipped, whatever it holds.", {
    kind: 64 as Kind,
    streamId: 1n,
    payload: Uint8Array.of(1),
  }),
  frame("unknown-kind-max", "The largest kind.", { kind: 2_147_483_647 as Kind }),
  frame("unknown-flags", "Flags that nobody knows are ignored.", {
    kind: Kind.DATA,
    streamId: 1n,
    flags: MAX_UINT32,
    payload: Uint8Array.of(1),
  }),
  frame("numbers-max", "Every number at its largest.", {
    kind: Kind.DATA,
    streamId: MAX_NUMBER,
    flags: MAX_UINT32,
    methodId: MAX_UINT32,
    timeUs: MAX_NUMBER,
    timeoutUs: MAX_NUMBER,
    messages: MAX_UINT32,
    bytes: MAX_NUMBER,
    keyId: MAX_UINT32,
    seq: MAX_NUMBER,
    lost: MAX_NUMBER,
  }),
  ...[127n, 128n, 16_383n, 16_384n, 4_294_967_295n, 4_294_967_296n, 34_359_738_368n].map((id) =>
    frame(`stream-id-${id}`, `A stream id at the edge of a varint's width or of 32 bits.`, {
      kind: Kind.DATA,
      streamId: id,
      payload: new Uint8Array(0),
    }),
  ),
  ...sizes.map((size) =>
    frame(`payload-${size}`, `A payload of ${size} bytes.`, {
      kind: Kind.DATA,
      streamId: 1n,
      payload: Uint8Array.from({ length: size }, (_, i) => i % 251),
    }),
  ),
];
