import { readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { DescMessage } from "@bufbuild/protobuf";
import type { Codec } from "../../runtime/codec/codec.js";

/** Finds the codec of a message that the suite is about, among those that were generated into a folder. */
export async function loadCodecs(folder: string): Promise<(schema: DescMessage) => Codec<unknown, unknown>> {
  const codecs = new Map<string, Codec<unknown, unknown>>();
  for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!path.endsWith("_codec.js")) continue;
    const exported: Record<string, unknown> = await import(pathToFileURL(join(folder, path)).href);
    for (const [name, value] of Object.entries(exported)) {
      if (!name.endsWith("Codec")) continue;
      const codec = value as Codec<unknown, unknown>;
      codecs.set(codec.typeName, codec);
    }
  }
  return ({ typeName }) => {
    const codec = codecs.get(typeName);
    if (codec === undefined) throw new Error(`there is no generated codec for ${typeName}`);
    return codec;
  };
}
