import type { DescEnum, DescFile, DescMessage } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { type GeneratedFile, type ImportSymbol, safeIdentifier } from "@bufbuild/protoplugin";

/** The names that protoc-gen-es gives to messages and enums. */
export interface Symbols {
  schema(desc: DescMessage): ImportSymbol;
  shape(desc: DescMessage | DescEnum): ImportSymbol;
}

/**
 * As `importSchema` and `importShape` of the file. Those name all of a file to name one of its messages, which takes
 * minutes for files of some thousand; where no two names of a file can be alike, they are known without.
 */
export function createSymbols(f: GeneratedFile): Symbols {
  return {
    schema(desc) {
      const from = plainSource(f, desc.file);
      return from === undefined
        ? f.importSchema(desc)
        : f.import(safeIdentifier(`${pathOf(desc)}Schema`), from);
    },
    shape(desc) {
      const from = plainSource(f, desc.file);
      return from === undefined ? f.importShape(desc) : f.import(safeIdentifier(pathOf(desc)), from, true);
    },
  };
}

const sources = new WeakMap<DescFile, string | undefined>();

/** Where the file's messages are imported from, if their names are what they are made of; else `undefined`. */
function plainSource(f: GeneratedFile, file: DescFile): string | undefined {
  if (sources.has(file)) return sources.get(file);
  const taken = new Set<string>();
  let count = 0;
  const take = (name: string): void => {
    taken.add(safeIdentifier(name));
    count++;
  };
  for (const type of nestedTypes(file)) {
    const path = pathOf(type);
    const isShape = type.kind === "message" || type.kind === "enum";
    take(isShape ? `${path}Schema` : path);
    if (isShape) take(path);
  }
  const source = f.importSchema(file);
  take(source.name);
  const from = taken.size === count ? source.from : undefined;
  sources.set(file, from);
  return from;
}

/** The name of a type below its package. */
function pathOf({ typeName, file }: { readonly typeName: string; readonly file: DescFile }): string {
  const { package: name } = file.proto;
  return typeName.slice(name === "" ? 0 : name.length + 1).replaceAll(".", "_");
}
