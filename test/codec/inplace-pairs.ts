import { join } from "node:path";
import type { MessageView, ViewType } from "../../runtime/codec/inplace/view.js";
import type { MessageWriter, WriterType } from "../../runtime/codec/inplace/writer.js";
import { generatePairs, importFile, nameBelowPackage, type Pair } from "./pairs.js";

/** A type of messages, its codec, and the classes that read and write it in place. */
export interface InPlacePair extends Pair {
  readonly view: ViewType<MessageView>;
  readonly writer: WriterType<MessageWriter>;
}

/** As `generatePairs`, with classes for messages in place. */
export async function generateInPlacePairs(
  root: string,
  files: readonly string[],
  out: string,
  imported: readonly string[] = files,
): Promise<InPlacePair[]> {
  const pairs = await generatePairs(root, files, out, imported, ["in_place=true"]);
  const modules = new Map<string, Record<string, unknown>>();
  for (const file of new Set(pairs.map(({ desc }) => desc.file.name))) {
    modules.set(file, await importFile(join(out, `${file}_inplace.js`)));
  }
  return pairs.map((pair) => {
    const classes = modules.get(pair.desc.file.name)!;
    const name = nameBelowPackage(pair.desc);
    const view = classes[`${name}View`] as ViewType<MessageView> | undefined;
    const writer = classes[`${name}Writer`] as WriterType<MessageWriter> | undefined;
    if (view === undefined || writer === undefined)
      throw new Error(`${pair.desc.typeName} has no view or writer`);
    return { ...pair, view, writer };
  });
}
