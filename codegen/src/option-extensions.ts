import type { DescExtension, DescFile, DescMessage, DescMethod, Message } from "@bufbuild/protobuf";
import { getExtension, hasExtension, isMessage } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";

/** The method options of protoipc, as the request declares them; `undefined` where no file imports them. */
export interface OptionExtensions {
  readonly topic: DescExtension | undefined;
  readonly method: DescExtension | undefined;
}

/** Finds the options by name, so that another project's option with the same number is not taken for ours. */
export function findOptionExtensions(files: readonly DescFile[]): OptionExtensions {
  const find = (typeName: string) =>
    files.flatMap((file) => file.extensions).find((extension) => extension.typeName === typeName);
  return { topic: find("protoipc.v1.topic"), method: find("protoipc.v1.method") };
}

/** The value of an option that is a message, or `undefined` where the method does not carry it. */
export function readOption(
  method: DescMethod,
  extension: DescExtension | undefined,
): ReflectMessage | undefined {
  const options = method.proto.options;
  if (extension === undefined || options === undefined || !hasExtension(options, extension)) return undefined;
  return reflectMessage(extension.message, getExtension(options, extension));
}

/** A field of an option: its value, or the zero value of its type where it is absent. */
export function readField(option: ReflectMessage, name: string): unknown {
  const field = option.fields.find((candidate) => candidate.name === name);
  return field === undefined ? undefined : option.get(field);
}

/** Whether a field of an option is set. */
export function hasField(option: ReflectMessage, name: string): boolean {
  const field = option.fields.find((candidate) => candidate.name === name);
  return field !== undefined && option.isSet(field);
}

function reflectMessage(desc: DescMessage | undefined, value: unknown): ReflectMessage | undefined {
  return desc !== undefined && isMessage(value, desc) ? reflect(desc, value as Message) : undefined;
}
