/** Whose message types the generated code uses. */
export type MessageLibrary = "protobuf-es" | "ts-proto";

/** The plugin's own options, besides those of every plugin made with @bufbuild/protoplugin. */
export interface Options {
  readonly messages: MessageLibrary;
}

const LIBRARIES: readonly MessageLibrary[] = ["protobuf-es", "ts-proto"];

const KNOWN_OPTIONS = [
  "messages",
  "target",
  "import_extension",
  "js_import_style",
  "keep_empty_files",
  "ts_nocheck",
  "elide_plugin_version",
  "rewrite_imports",
  "map_imports",
];

/** Reads the plugin's own options. Throws an error that names the first option that is unknown or wrong. */
export function parseOptions(raw: readonly { readonly key: string; readonly value: string }[]): Options {
  let messages: MessageLibrary = "protobuf-es";
  for (const { key, value } of raw) {
    if (key !== "messages") {
      throw new Error(
        `there is no option "${key}"${suggest(key, KNOWN_OPTIONS)}; known options: ${KNOWN_OPTIONS.join(", ")}`,
      );
    }
    const library = LIBRARIES.find((known) => known === value);
    if (library === undefined) {
      throw new Error(
        `messages is "${value}"${suggest(value, LIBRARIES)}; known values: ${LIBRARIES.join(", ")}`,
      );
    }
    messages = library;
  }
  return { messages };
}

function suggest(given: string, known: readonly string[]): string {
  const nearest = known
    .map((name) => ({ name, distance: editDistance(given, name) }))
    .sort((a, b) => a.distance - b.distance)[0];
  if (nearest === undefined || nearest.distance > Math.ceil(nearest.name.length / 3)) return "";
  return `, did you mean "${nearest.name}"?`;
}

/** How many characters must be inserted, removed or replaced to get from one text to the other. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
