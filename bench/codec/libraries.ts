import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { create, type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import type { Codec } from "../../runtime/codec/codec.js";
import { generated } from "./generate.js";
import type { SampleName } from "./samples.js";

export const LIBRARIES = ["protobuf-es", "ts-proto", "protobufjs", "protoipc"] as const;
export type LibraryName = (typeof LIBRARIES)[number];

/** What a library does with messages of one type. */
export interface Library {
  /** The library's own message, from plain properties. */
  make(properties: Record<string, unknown>): unknown;
  /** In memory of its own. */
  encode(message: unknown): Uint8Array;
  /** Into the given memory, where the library can do that. Returns the bytes written. */
  encodeInto?(message: unknown, bytes: Uint8Array): number;
  /** What is decoded shares no memory with the bytes, except where the library always does that. */
  decode(bytes: Uint8Array): unknown;
  /** Fields of bytes are views, where the library has a choice. */
  decodeViews?(bytes: Uint8Array): unknown;
}

export async function loadLibrary(name: LibraryName, sample: SampleName): Promise<Library> {
  switch (name) {
    case "protobuf-es": {
      const schema = (await imported("messages_pb.js"))[`${sample}Schema`] as DescMessage;
      return {
        make: (properties) => create(schema, properties),
        encode: (message) => toBinary(schema, message as Message),
        decode: (bytes) => fromBinary(schema, bytes),
      };
    }
    case "protoipc": {
      const schema = (await imported("messages_pb.js"))[`${sample}Schema`] as DescMessage;
      const codec = (await imported("messages_codec.js"))[`${sample}Codec`] as Codec<unknown, unknown>;
      return {
        make: (properties) => create(schema, properties),
        encode: (message) => codec.encode!(message),
        encodeInto(message, bytes) {
          codec.maxSize(message);
          return codec.encodeInto(message, bytes, 0);
        },
        decode: (bytes) => codec.decode(bytes, 0, bytes.length, false),
        decodeViews: (bytes) => codec.decode(bytes, 0, bytes.length, true),
      };
    }
    case "ts-proto": {
      const message = (await imported("ts-proto/messages.js"))[sample] as TsProto;
      return {
        make: (properties) => message.fromPartial(properties),
        encode: (value) => message.encode(value).finish(),
        decode: (bytes) => message.decode(bytes),
      };
    }
    case "protobufjs": {
      const required = createRequire(import.meta.url)(join(generated, "protobufjs.cjs")) as {
        readonly bench: { readonly codec: Readonly<Record<SampleName, ProtobufJs>> };
      };
      const message = required.bench.codec[sample];
      return {
        make: (properties) => message.fromObject(withoutBigInts(properties)),
        encode: (value) => message.encode(value).finish(),
        decode: (bytes) => message.decode(bytes),
      };
    }
  }
}

interface TsProto {
  fromPartial(properties: Record<string, unknown>): unknown;
  encode(value: unknown): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
}

interface ProtobufJs {
  fromObject(properties: Record<string, unknown>): unknown;
  encode(value: unknown): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
}

/** protobufjs makes its own kind of number of them. */
function withoutBigInts(properties: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(properties).map(([key, value]) => [
      key,
      typeof value === "bigint" ? String(value) : value,
    ]),
  );
}

async function imported(path: string): Promise<Record<string, unknown>> {
  return (await import(pathToFileURL(join(generated, path)).href)) as Record<string, unknown>;
}
