import type { DescField, DescMessage } from "@bufbuild/protobuf";

/** What the members of a writer do for a field. */
export type WriterVerb = "set" | "reserve" | "trim" | "add" | "put" | "setAll";

/** The name of a member of a writer, by what it does for which field. `undefined`: the accessor that sets a value. */
export type WriterNames = (field: DescField, verb?: WriterVerb) => string;

/**
 * Names the members of a writer: an accessor has its field's name, a method is its verb and the name. Accessors come first,
 * then methods in the order of the fields; what collides with a name before it gets a dollar sign.
 */
export function writerNames(
  message: DescMessage,
  verbsOf: (field: DescField) => readonly WriterVerb[],
  hasAccessor: (field: DescField) => boolean,
): WriterNames {
  const taken = new Set<string>();
  const names = new Map<DescField, Map<WriterVerb | undefined, string>>();
  const claim = (field: DescField, verb: WriterVerb | undefined, name: string): void => {
    let unique = name;
    while (taken.has(unique)) unique += "$";
    taken.add(unique);
    const ofField = names.get(field) ?? new Map<WriterVerb | undefined, string>();
    names.set(field, ofField.set(verb, unique));
  };
  for (const field of message.fields) if (hasAccessor(field)) claim(field, undefined, field.localName);
  for (const field of message.fields) {
    for (const verb of verbsOf(field)) {
      const { localName } = field;
      const prefix = verb === "setAll" ? "set" : verb;
      claim(field, verb, `${prefix}${localName[0]!.toUpperCase()}${localName.slice(1)}`);
    }
  }
  return (field, verb) => names.get(field)!.get(verb)!;
}
