import { create, type DescFile, type DescMessage, toBinary } from "@bufbuild/protobuf";
import { base64Encode } from "@bufbuild/protobuf/wire";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { GeneratedFile, Printable } from "@bufbuild/protoplugin";
import type { Options } from "./options.js";
import { createSymbols } from "./symbols.js";
import { tsProtoMessageName, tsProtoModule } from "./ts-proto-names.js";

export const CONTRACT = "protoipc/codegen-v1";

/** How the generated code speaks of messages. */
export interface MessageTypes {
  /** The type that users pass. */
  init(desc: DescMessage): Printable;
  /** The type that users receive. */
  shape(desc: DescMessage): Printable;
  /** The type of the message's property names, where nothing but the compiler can tell whether they are as expected. */
  names(desc: DescMessage): Printable | undefined;
  /** The expression that makes the message's codec. */
  codec(desc: DescMessage): Printable;
  /** The expression that makes the schema of a file's services. */
  schema(file: DescFile, fingerprint: string): Printable;
}

/** `findCodec` says in which file a message's generated codec is, and its name; `undefined`: there is none. */
export function createMessageTypes(
  f: GeneratedFile,
  options: Options,
  findCodec: (desc: DescMessage) => { readonly file: DescFile; readonly name: string } | undefined,
): MessageTypes {
  switch (options.messages) {
    case "protobuf-es": {
      const { schema, shape } = createSymbols(f);
      return {
        init: (desc) => [
          f.import("MessageInitShape", "@bufbuild/protobuf", true),
          "<typeof ",
          schema(desc).toTypeOnly(),
          ">",
        ],
        shape,
        names: () => undefined,
        codec(desc) {
          const found = findCodec(desc);
          if (found !== undefined) return f.import(`${found.name}Codec`, `./${found.file.name}_codec.js`);
          return ["/*@__PURE__*/ ", f.import("protobufEs", CONTRACT), "(", schema(desc), ")"];
        },
        schema: (file, fingerprint) => [
          "/*@__PURE__*/ ",
          f.import("schemaOfFile", CONTRACT),
          "(",
          f.importSchema(file),
          ", ",
          f.string(fingerprint),
          ")",
        ],
      };
    }
    case "ts-proto": {
      // ts-proto gives the type and the functions of a message the same name.
      const { tsProto: naming } = options;
      const message = (desc: DescMessage) =>
        f.import(tsProtoMessageName(desc, naming), tsProtoModule(desc, naming));
      return {
        init: (desc) => message(desc).toTypeOnly(),
        shape: (desc) => message(desc).toTypeOnly(),
        // Options of ts-proto rename properties, and the plugin knows only those that it was given.
        names: (desc) => ["keyof ", message(desc).toTypeOnly()],
        codec: (desc) => [
          "/*@__PURE__*/ ",
          f.import("tsProto", CONTRACT),
          "(",
          f.string(desc.typeName),
          ", ",
          message(desc),
          ")",
        ],
        // ts-proto generates no descriptors: the file and all that it imports stand here as they are.
        schema: (file, fingerprint) => [
          "/*@__PURE__*/ ",
          f.import("schemaOfBase64", CONTRACT),
          "(",
          f.string(base64Encode(fileDescriptorSet(file))),
          ", ",
          f.string(fingerprint),
          ")",
        ],
      };
    }
  }
}

/** A serialized google.protobuf.FileDescriptorSet of a file and all that it imports, without comments. */
function fileDescriptorSet(file: DescFile): Uint8Array {
  const files = new Map<string, DescFile>();
  const add = (desc: DescFile): void => {
    if (files.has(desc.name)) return;
    for (const dependency of desc.dependencies) add(dependency);
    files.set(desc.name, desc);
  };
  add(file);
  const protos = [...files.values()].map(({ proto }) => ({ ...proto, sourceCodeInfo: undefined }));
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: protos }));
}
