import type { DescMessage } from "@bufbuild/protobuf";
import type { Codec } from "../../runtime/codec/codec.js";
import { protobufEs } from "../../runtime/codec/protobuf-es.js";

/** The codec of a message that the suite is about. */
export function codecOf(schema: DescMessage): Codec<unknown, unknown> {
  return protobufEs(schema) as Codec<unknown, unknown>;
}
