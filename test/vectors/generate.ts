import { create, createRegistry, type JsonValue, type MessageInitShape, toBinary, toJson } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { type Frame, FrameSchema } from "../../gen/protoipc/v1/wire_pb.js";
import { GOOD_FRAMES } from "./good-frames.js";
import { TRANSCRIPTS } from "./transcripts.js";

/** The types of the details in the vectors. */
const registry = createRegistry(StringValueSchema);

/** A frame in protobuf's JSON mapping. */
export function frameToJson(frame: Frame): JsonValue {
  return toJson(FrameSchema, frame, { registry });
}

/** The bytes of a frame as protobuf's own code writes them, in hexadecimal. */
export function frameToHex(init: MessageInitShape<typeof FrameSchema>): string {
  return Buffer.from(toBinary(FrameSchema, create(FrameSchema, init))).toString("hex");
}

/** The contents of frames-good.json. */
export function goodFramesFile(): string {
  const vectors = GOOD_FRAMES.map(({ name, description, frame }) => ({
    name,
    description,
    hex: frameToHex(frame),
    json: frameToJson(create(FrameSchema, frame)),
  }));
  return print(vectors);
}

/** The contents of sessions.json. */
export function sessionsFile(): string {
  const vectors = TRANSCRIPTS.map(({ name, text, accepted, frames, raw }) => ({
    name,
    ...(accepted ? { description: text } : { reason: text }),
    accepted,
    records: [...frames.map((init) => frameToHex(init)), ...(raw ?? [])],
  }));
  return print(vectors);
}

function print(vectors: readonly object[]): string {
  return `${JSON.stringify(vectors, undefined, 2)}\n`;
}
