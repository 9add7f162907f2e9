/**
 * The contract that generated code imports, and all that it imports. It is versioned: what generated code of version 1
 * needs stays here as it is.
 */
export type { CallContext } from "../call-context.js";
export type { CallOptions } from "../call-options.js";
export type { Codec } from "../codec/codec.js";
export {
  boundOfByteArrays,
  boundOfBytes,
  boundOfInt64s,
  boundOfString,
  boundOfStrings,
  boundOfUint64s,
  given,
  sizeOfBools,
  sizeOfDoubles,
  sizeOfFixed32s,
  sizeOfFloats,
  sizeOfInt32s,
  sizeOfSfixed32s,
  sizeOfSint32s,
  sizeOfUint32s,
} from "../codec/generated/bounds.js";
export {
  boolKey,
  checkBool,
  checkDouble,
  checkFloat,
  checkInt32,
  checkInt64,
  checkInt64String,
  checkUint32,
  checkUint64,
  checkUint64String,
  int32Key,
  isOwn,
} from "../codec/generated/check.js";
export { type Cursor, cursor } from "../codec/generated/cursor.js";
export { type GeneratedFunctions, generatedCodec } from "../codec/generated/generated.js";
export { setEntry, structFromJson, structToJson } from "../codec/generated/json-struct.js";
export { newMessage, prototypeOf } from "../codec/generated/prototype.js";
export {
  readDoubles,
  readFloats,
  readInt32s,
  readUint32s,
  writeDoubles,
  writeFloats,
  writeInt32s,
  writeUint32s,
} from "../codec/generated/packed.js";
export {
  overrun,
  readBool,
  readDouble,
  readEnd,
  readFixed32,
  readFixed64,
  readFloat,
  readInt32,
  readInt64,
  readSfixed32,
  readSfixed64,
  readSint32,
  readSint64,
  readTag,
  readUint32,
  readUint64,
  TooDeepError,
  tooDeep,
  TwiceError,
  twice,
} from "../codec/generated/read.js";
export { noBytes, readBytes, readLooseString, readString } from "../codec/generated/read-text.js";
export { checkInit, unfit } from "../codec/generated/unfit.js";
export {
  addUnknown,
  addUnknownEnum,
  boundOfUnknown,
  checkGroupEnd,
  skip,
  writeUnknown,
} from "../codec/generated/unknown.js";
export {
  seal,
  sealWide,
  writeBool,
  writeBytes,
  writeDouble,
  writeFixed32,
  writeFixed64,
  writeFloat,
  writeInt32,
  writeInt64,
  writeSint32,
  writeSint64,
  writeString,
  writeVarint32,
} from "../codec/generated/write.js";
export { type LayoutMore, layoutOf, type MessageLayout } from "../codec/inplace/layout.js";
export { putPacked, putValue, reserveBytes, trimBytes } from "../codec/inplace/put.js";
export {
  type Fill,
  putEntry,
  putGroup,
  putMessage,
  putMessageEntry,
} from "../codec/inplace/put-messages.js";
export { type ReadPacked, type ReadValue, readList, readNumbers } from "../codec/inplace/read-lists.js";
export {
  boolKeys,
  fixed32Keys,
  fixed64Keys,
  int32Keys,
  int64Keys,
  looseStringKeys,
  type MapKeys,
  mapValues,
  readMap,
  readViewMap,
  sfixed32Keys,
  sfixed64Keys,
  sint32Keys,
  sint64Keys,
  stringKeys,
  uint32Keys,
  uint64Keys,
} from "../codec/inplace/read-maps.js";
export {
  addPart,
  type Parts,
  readView,
  readViews,
  structOf,
  viewOfParts,
} from "../codec/inplace/read-messages.js";
export { nextField, passOver, seekField } from "../codec/inplace/seek.js";
export {
  boolKind,
  bytesKind,
  doubleKind,
  fixed32Kind,
  fixed64Kind,
  floatKind,
  int32Kind,
  int64Kind,
  sfixed32Kind,
  sfixed64Kind,
  sint32Kind,
  sint64Kind,
  stringKind,
  structKind,
  textKind,
  uint32Kind,
  uint64Kind,
  type ValueKind,
  wrapperKind,
} from "../codec/inplace/value-kinds.js";
export { MessageView, type Span, spanOf, type ViewType } from "../codec/inplace/view.js";
export { MessageWriter, type Page, type WriterType } from "../codec/inplace/writer.js";
export { protobufEs } from "../codec/protobuf-es.js";
export { schemaOfBase64, schemaOfFile } from "../codec/schema.js";
export { type TsProtoMessageFns, tsProto } from "../codec/ts-proto.js";
export type {
  BidiStreamingMethod,
  ClientStreamingMethod,
  KeyedTopic,
  OneWayMethod,
  ServerStreamingMethod,
  ServiceDefinition,
  ServiceSchema,
  UnaryMethod,
  UnkeyedTopic,
} from "../definition.js";
