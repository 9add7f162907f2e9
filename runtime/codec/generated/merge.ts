import {
  create,
  type DescMessage,
  type Message,
  type MessageShape,
  mergeFromBinary,
} from "@bufbuild/protobuf";
import { privateCopy } from "../private-copy.js";
import { cursor } from "./cursor.js";
import { writeVarint32 } from "./write.js";

const START_GROUP = 3;

// A message that comes twice for one field is merged, which is as rare as it is intricate: protobuf-es does it.

/**
 * Adds what stands in `bytes[pos, stop)` to a message that came before, and was read as `again`, which has found what is
 * wrong with it. `depth`: the levels left.
 */
export function mergeMessage<Desc extends DescMessage>(
  schema: Desc,
  before: MessageShape<Desc>,
  _again: MessageShape<Desc>,
  bytes: Uint8Array,
  pos: number,
  stop: number,
  depth: number,
): MessageShape<Desc> {
  return mergeFromBinary(schema, before, privateCopy(bytes, pos, stop), { recursionLimit: depth });
}

/**
 * As `mergeMessage`, for a group that begins at `pos`: field `number` of a message of `schema`, that has `depth` levels
 * left. The cursor stands behind its end, which only reading it tells.
 */
export function mergeGroup<T>(
  schema: DescMessage,
  number: number,
  before: T,
  _again: T,
  bytes: Uint8Array,
  pos: number,
  depth: number,
): T {
  const after = cursor.pos;
  const field = schema.fields.find((candidate) => candidate.number === number)!;
  const outer = create(schema) as unknown as Record<string, unknown>;
  const oneof = field.oneof?.localName;
  if (oneof === undefined) outer[field.localName] = before;
  else outer[oneof] = { case: field.localName, value: before };
  const encoded = new Uint8Array(5 + after - pos);
  const start = writeVarint32(encoded, 0, (number << 3) | START_GROUP);
  encoded.set(bytes.subarray(pos, after), start);
  const message = outer as unknown as Message;
  mergeFromBinary(schema, message, encoded.subarray(0, start + after - pos), { recursionLimit: depth });
  cursor.pos = after;
  return (oneof === undefined ? outer[field.localName] : (outer[oneof] as { value: unknown }).value) as T;
}

/** The prototype of the messages of a type, which holds the defaults of their fields. */
export function prototypeOf(schema: DescMessage): object {
  return Object.getPrototypeOf(create(schema)) as object;
}

/** A message of a type whose messages have a prototype, without fields. */
export function newMessage<T>(prototype: object, typeName: string): T {
  const message = Object.create(prototype) as { $typeName: string };
  message.$typeName = typeName;
  return message as T;
}
