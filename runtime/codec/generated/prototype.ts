import { create, type DescMessage } from "@bufbuild/protobuf";

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
