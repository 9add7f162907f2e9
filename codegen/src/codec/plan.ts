import type { DescFile, DescMessage } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";

/** Which messages the codecs of one .proto file are for. */
export interface CodecFilePlan {
  /** Its own, which other files import. */
  readonly own: readonly DescMessage[];
  /** Those of files for which nothing is generated in this run: this file has them for itself. */
  readonly foreign: readonly DescMessage[];
  /** Those among the foreign ones whose codec a service of this file uses. */
  readonly used: ReadonlySet<DescMessage>;
  /** What the names of a message's functions begin with. */
  readonly names: ReadonlyMap<DescMessage, string>;
  /** The messages that are read as groups somewhere. */
  readonly groups: ReadonlySet<DescMessage>;
}

/** Which file has the codec of which message. */
export interface CodecPlan {
  readonly files: ReadonlyMap<DescFile, CodecFilePlan>;
  /** The file in which code of `user` finds a message's functions, and what their names begin with. */
  find(message: DescMessage, user: DescFile): { readonly file: DescFile; readonly name: string };
}

/**
 * Plans the codecs of a run: of the messages that the services of its files use, directly or within others, or of all
 * messages of its files.
 */
export function planCodecs(files: readonly DescFile[], which: "reachable" | "all"): CodecPlan {
  const inRun = new Set(files);
  const roots = new Map(files.map((file) => [file, rootsOf(file)]));
  const reachable = new Set<DescMessage>();
  for (const [file, used] of roots) {
    collect(used, reachable);
    if (which === "all") collect(messagesOf(file), reachable);
  }
  const groups = new Set<DescMessage>();
  for (const message of reachable) {
    for (const { message: inner, ...field } of message.fields) {
      if (inner !== undefined && "delimitedEncoding" in field && field.delimitedEncoding) groups.add(inner);
    }
  }
  const plans = new Map<DescFile, CodecFilePlan>();
  for (const [file, used] of roots) {
    const own = messagesOf(file).filter((message) => reachable.has(message));
    const foreign = new Set<DescMessage>();
    const isForeign = (message: DescMessage): boolean => !inRun.has(message.file);
    collect(
      [...own, ...used].flatMap((message) => [message, ...inners(message)]).filter(isForeign),
      foreign,
      isForeign,
    );
    if (own.length + foreign.size === 0) continue;
    plans.set(file, {
      own,
      foreign: [...foreign],
      used: new Set(used.filter(isForeign)),
      names: namesOf([...own, ...foreign]),
      groups,
    });
  }
  return {
    files: plans,
    find(message, user) {
      const file = inRun.has(message.file) ? message.file : user;
      return { file, name: plans.get(file)!.names.get(message)! };
    },
  };
}

function rootsOf(file: DescFile): DescMessage[] {
  return file.services.flatMap(({ methods }) => methods.flatMap(({ input, output }) => [input, output]));
}

/** All messages of a file, in order. */
function messagesOf(file: DescFile): DescMessage[] {
  return [...nestedTypes(file)].filter((type) => type.kind === "message");
}

function inners(message: DescMessage): DescMessage[] {
  return message.fields.flatMap((field) => (field.message === undefined ? [] : [field.message]));
}

/** Adds messages and all that they hold, as far as `includes` says. */
function collect(
  messages: readonly DescMessage[],
  into: Set<DescMessage>,
  includes: (message: DescMessage) => boolean = () => true,
): void {
  const waiting = [...messages];
  for (let message = waiting.pop(); message !== undefined; message = waiting.pop()) {
    if (into.has(message) || !includes(message)) continue;
    into.add(message);
    waiting.push(...inners(message));
  }
}

/** A name for each message, as protoc-gen-es has it, with a number where two of different packages are alike. */
function namesOf(messages: readonly DescMessage[]): Map<DescMessage, string> {
  const taken = new Set<string>();
  const names = new Map<DescMessage, string>();
  for (const message of messages) {
    const name = pathOf(message);
    let unique = name;
    for (let i = 2; taken.has(unique); i++) unique = `${name}$${i}`;
    taken.add(unique);
    names.set(message, unique);
  }
  return names;
}

function pathOf(message: DescMessage): string {
  return message.parent === undefined ? message.name : `${pathOf(message.parent)}_${message.name}`;
}
