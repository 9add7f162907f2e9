import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { DescFile, DescMessage, Message } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import type { Codec } from "../../runtime/codec/codec.js";
import { protoc } from "../codegen/compile.js";

/** A type of messages and the codec that was generated for it. */
export interface Pair {
  readonly desc: DescMessage;
  readonly codec: Codec<unknown, Message>;
}

/** Generates messages and codecs of .proto files below `root` into `out`, as JavaScript, and imports them. */
export async function generatePairs(
  root: string,
  files: readonly string[],
  out: string,
  imported: readonly string[] = files,
  more: readonly string[] = [],
): Promise<Pair[]> {
  const options = ["target=js", "import_extension=js"];
  const es = await protoc([root], imported, [{ plugin: "es", out, options }]);
  if (es.exitCode !== 0) throw new Error(es.stderr);
  const ours = await protoc([root], files, [
    { plugin: "protoipc", out, options: [...options, "codec_messages=all", ...more] },
  ]);
  if (ours.exitCode !== 0) throw new Error(ours.stderr);
  const pairs: Pair[] = [];
  for (const file of files) {
    const path = join(out, file.replace(/\.proto$/, ""));
    const messages = await importFile(`${path}_pb.js`);
    const codecs = await importFile(`${path}_codec.js`).catch(() => ({}) as Record<string, unknown>);
    const desc = Object.values(messages).find(isFile);
    if (desc === undefined) throw new Error(`${path}_pb.js has no description of its file`);
    for (const type of nestedTypes(desc)) {
      if (type.kind !== "message") continue;
      const codec = codecs[`${nameBelowPackage(type)}Codec`];
      if (codec === undefined) throw new Error(`there is no codec for ${type.typeName}`);
      pairs.push({ desc: type, codec: codec as Codec<unknown, Message> });
    }
  }
  return pairs;
}

/** The name of a type in generated code. */
export function nameBelowPackage({ typeName, file }: DescMessage): string {
  const { package: name } = file.proto;
  return typeName.slice(name === "" ? 0 : name.length + 1).replaceAll(".", "_");
}

export async function importFile(path: string): Promise<Record<string, unknown>> {
  return (await import(/* @vite-ignore */ pathToFileURL(path).href)) as Record<string, unknown>;
}

function isFile(value: unknown): value is DescFile {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "file";
}
