import type { DescMessage } from "@bufbuild/protobuf";
import type { GeneratedFile, Printable } from "@bufbuild/protoplugin";
import { tsProtoMessageName } from "./names.js";
import type { MessageLibrary } from "./options.js";

export const CONTRACT = "protoipc/codegen-v1";

/** How the generated code speaks of messages. */
export interface MessageTypes {
  /** The type that users pass. */
  init(desc: DescMessage): Printable;
  /** The type that users receive. */
  shape(desc: DescMessage): Printable;
  /** The expression that makes the message's codec. */
  codec(desc: DescMessage): Printable;
}

export function createMessageTypes(f: GeneratedFile, messages: MessageLibrary): MessageTypes {
  switch (messages) {
    case "protobuf-es": {
      // To name one message, @bufbuild/protoplugin names all those of its file.
      const schema = memoise((desc) => f.importSchema(desc));
      const shape = memoise((desc) => f.importShape(desc));
      return {
        init: (desc) => [
          f.import("MessageInitShape", "@bufbuild/protobuf", true),
          "<typeof ",
          schema(desc).toTypeOnly(),
          ">",
        ],
        shape,
        codec: (desc) => ["/*@__PURE__*/ ", f.import("protobufEs", CONTRACT), "(", schema(desc), ")"],
      };
    }
    case "ts-proto": {
      // ts-proto gives the type and the functions of a message the same name.
      const message = (desc: DescMessage) => f.import(tsProtoMessageName(desc), `./${desc.file.name}.js`);
      return {
        init: (desc) => message(desc).toTypeOnly(),
        shape: (desc) => message(desc).toTypeOnly(),
        codec: (desc) => [
          "/*@__PURE__*/ ",
          f.import("tsProto", CONTRACT),
          "(",
          f.string(desc.typeName),
          ", ",
          message(desc),
          ")",
        ],
      };
    }
  }
}

function memoise<T>(make: (desc: DescMessage) => T): (desc: DescMessage) => T {
  const made = new Map<DescMessage, T>();
  return (desc) => {
    const known = made.get(desc);
    if (known !== undefined) return known;
    const printable = make(desc);
    made.set(desc, printable);
    return printable;
  };
}
