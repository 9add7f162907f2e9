import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import {
  NoteRequestSchema,
  SayReplySchema,
  SayRequestSchema,
  SumReplySchema,
  SumRequestSchema,
  TopicKeySchema,
  TopicMessageSchema,
} from "../../gen/test/v1/echo_pb.js";
import {
  Flag,
  FrameSchema,
  HelloSchema,
  Kind,
  KindSchema,
  type Status,
} from "../../gen/protoipc/v1/wire_pb.js";
import { PREAMBLE } from "../../runtime/wire/preamble.js";

/** One frame of the session that docs/spec/wire-v1.md walks through. */
export interface Step {
  readonly from: "C" | "S";
  readonly about: string;
  readonly bytes: Uint8Array;
  readonly payload: DescMessage;
}

const HEX_COLUMNS = 16;
const FLAGS: readonly (readonly [Flag, string])[] = [
  [Flag.LAST, "LAST"],
  [Flag.MORE, "MORE"],
  [Flag.ONE_WAY, "ONE_WAY"],
  [Flag.NOT_STARTED, "NOT_STARTED"],
];

function step<Desc extends DescMessage>(
  from: Step["from"],
  about: string,
  fields: MessageInitShape<typeof FrameSchema>,
  payload?: Desc,
  message?: MessageInitShape<Desc>,
): Step {
  const frame = create(FrameSchema, fields);
  if (payload !== undefined) frame.payload = toBinary(payload, create(payload, message));
  return { from, about, bytes: toBinary(FrameSchema, frame), payload: payload ?? EmptySchema };
}

const { KEY, DATA, HEADERS, CREDIT, CANCEL, METHOD, HELLO, OPEN, END, DRAIN, CLOSE } = Kind;

/** C dials S. Both serve test.v1.Echo; S publishes its topic Keyed. */
export const SESSION: readonly Step[] = [
  step("C", "introduces itself; it has no name and no features", { kind: HELLO }, HelloSchema, {
    minVersion: 1,
    maxVersion: 1,
    implementation: "example/1",
  }),
  step("S", "introduces itself; it understands fragments and method ids", { kind: HELLO }, HelloSchema, {
    minVersion: 1,
    maxVersion: 1,
    features: 3n,
    limits: { maxMessageBytes: 1_048_576n },
    name: "echo",
  }),

  step(
    "C",
    "a unary call, with one second to live",
    { kind: OPEN, streamId: 1n, flags: Flag.LAST, method: "test.v1.Echo/Say", timeoutUs: 1_000_000n },
    SayRequestSchema,
    { text: "hi" },
  ),
  step("S", "its response and its end", { kind: END, streamId: 1n }, SayReplySchema, { text: "HI" }),

  step(
    "C",
    "a call of a method that S does not have",
    { kind: OPEN, streamId: 3n, flags: Flag.LAST, method: "test.v1.Echo/No" },
    SayRequestSchema,
    {},
  ),
  step("S", "it was not started", {
    kind: END,
    streamId: 3n,
    flags: Flag.NOT_STARTED,
    status: { code: 12, message: "test.v1.Echo/No: no handler for the method" },
  }),

  step("C", "as S understands numbers of methods, this one gets one", {
    kind: METHOD,
    methodId: 1,
    method: "test.v1.Echo/Sum",
  }),
  step("C", "a client-streaming call; nothing is sent yet", { kind: OPEN, streamId: 5n, methodId: 1 }),
  step("C", "the first request", { kind: DATA, streamId: 5n }, SumRequestSchema, { number: 40 }),
  step("C", "the last one", { kind: DATA, streamId: 5n, flags: Flag.LAST }, SumRequestSchema, { number: 2 }),
  step("S", "the response", { kind: END, streamId: 5n }, SumReplySchema, { number: 42, count: 2 }),

  step(
    "C",
    "subscribes to the topic, for every key whose name is a, and is ready for 4 messages more than the initial 16",
    { kind: OPEN, streamId: 7n, flags: Flag.LAST, method: "test.v1.Echo/Keyed", messages: 4 },
    TopicKeySchema,
    { name: "a" },
  ),
  step("S", "the subscription holds from here on", { kind: HEADERS, streamId: 7n }),
  step("S", "1 stands for this key", { kind: KEY, streamId: 7n, keyId: 1 }, TopicKeySchema, {
    name: "a",
    shard: 9,
  }),
  step(
    "S",
    "the key's first publication",
    { kind: DATA, streamId: 7n, keyId: 1, seq: 1n },
    TopicMessageSchema,
    {
      text: "one",
    },
  ),
  step("S", "the second", { kind: DATA, streamId: 7n, keyId: 1, seq: 2n }, TopicMessageSchema, {
    text: "two",
  }),
  step("C", "has read both", { kind: CREDIT, streamId: 7n, messages: 2, bytes: 10n }),
  step("C", "wants no more", { kind: CANCEL, streamId: 7n }),
  step("S", "so the call ends", {
    kind: END,
    streamId: 7n,
    status: { code: 1, message: "the caller cancelled the call" },
  }),

  step(
    "C",
    "a one-way call: nothing answers",
    { kind: OPEN, streamId: 9n, flags: Flag.LAST | Flag.ONE_WAY, method: "test.v1.Echo/Note" },
    NoteRequestSchema,
    { text: "bye" },
  ),

  step(
    "S",
    "calls back, over the same link; its streams are even",
    { kind: OPEN, streamId: 2n, flags: Flag.LAST, method: "test.v1.Echo/Say" },
    SayRequestSchema,
    { text: "you?" },
  ),
  step("C", "answers", { kind: END, streamId: 2n }, SayReplySchema, { text: "me" }),

  step("S", "accepts no stream above 9, and opens none", { kind: DRAIN, streamId: 9n }),
  step("S", "and, as nothing is in flight, closes", {
    kind: CLOSE,
    status: { code: 14, message: "the peer closed its endpoint" },
  }),
];

/** The session as the document shows it. */
export function renderSession(): string {
  const preambles = (["C", "S"] as const).map((side) => `${side}  the preamble\n${columns(PREAMBLE, "")}\n`);
  return [...preambles, ...SESSION.map(renderStep)].join("\n");
}

/** The record's bytes: the frame behind its length, which has one byte here. */
export function record({ bytes }: Step): Uint8Array {
  return Uint8Array.of(bytes.length, ...bytes);
}

function renderStep({ from, about, bytes, payload }: Step): string {
  const lines = [`${from}  ${about}`, columns(Uint8Array.of(bytes.length), `length: ${bytes.length}`)];
  for (const field of fieldsOf(bytes)) lines.push(columns(field, describeField(field, payload)));
  return `${lines.join("\n")}\n`;
}

/** The fields of a frame, each with its tag: every one is a frame of its own. */
function* fieldsOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; ) {
    let end = start + 2;
    if ((bytes[start]! & 7) === 2) end += bytes[start + 1]!;
    else while (bytes[end - 1]! >= 0x80) end++;
    yield bytes.subarray(start, end);
    start = end;
  }
}

function describeField(field: Uint8Array, payload: DescMessage): string {
  const frame = fromBinary(FrameSchema, field);
  switch (field[0]! >> 3) {
    case 1:
      return `kind: ${KindSchema.value[frame.kind]!.name.slice("KIND_".length)}`;
    case 2:
      return `stream_id: ${frame.streamId}`;
    case 3:
      return `flags: ${FLAGS.flatMap(([bit, name]) => ((frame.flags & bit) !== 0 ? [name] : [])).join(" + ")}`;
    case 4:
      return `method_id: ${frame.methodId}`;
    case 5:
      return `method: ${JSON.stringify(frame.method)}`;
    case 7:
      return `timeout_us: ${frame.timeoutUs}`;
    case 8:
      return `messages: ${frame.messages}`;
    case 9:
      return `bytes: ${frame.bytes}`;
    case 10:
      return `key_id: ${frame.keyId}`;
    case 11:
      return `seq: ${frame.seq}`;
    case 13:
      return `status: ${describeStatus(frame.status!)}`;
    case 15:
      return `payload: ${payload.typeName} ${describeMessage(payload, frame.payload!)}`;
    default:
      throw new Error(`the document does not describe field ${field[0]! >> 3}`);
  }
}

/** JSON, less dense and without the quotes around names. */
function describeMessage(schema: DescMessage, bytes: Uint8Array): string {
  const json = toJsonString(schema, fromBinary(schema, bytes));
  return json.replaceAll(/"(\w+)":/g, "$1: ").replaceAll(/,(?=\w+: )/g, ", ");
}

function describeStatus({ code, message }: Status): string {
  return `${code}, ${JSON.stringify(message)}`;
}

/** Bytes on the left, in rows, and what they say on the right of the first row. */
function columns(bytes: Uint8Array, text: string): string {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"));
  const rows: string[] = [];
  for (let i = 0; i < hex.length; i += HEX_COLUMNS) rows.push(hex.slice(i, i + HEX_COLUMNS).join(" "));
  const width = HEX_COLUMNS * 3;
  return rows
    .map((row, index) => (index === 0 ? `   ${row.padEnd(width)}  ${text}` : `   ${row}`).trimEnd())
    .join("\n");
}
