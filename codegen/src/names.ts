import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { GeneratedFile, Printable } from "@bufbuild/protoplugin";
import { safeIdentifier } from "@bufbuild/protoplugin";

/** What a service is called in its generated file. */
export interface ServiceNames {
  readonly service: string;
  readonly client: string;
  readonly handlers: string;
  readonly definition: string;
}

/** Names of the file itself: what is used through here keeps its meaning whatever a message or service is called. */
export interface Scope {
  /** A global type, such as "Promise", or a name that the file declares. Imports of that name get another one. */
  local(name: string): Printable;
}

// Names that a module cannot declare, or that would hide something that its JavaScript needs. safeIdentifier knows
// the reserved words, but not these.
const NOT_DECLARABLE = new Set([
  "arguments",
  "async",
  "await",
  "eval",
  "exports",
  "module",
  "require",
  "undefined",
  "NaN",
  "Infinity",
  "__dirname",
  "__filename",
]);

/** The scope of the generated file that others import from `self`. */
export function createScope(f: GeneratedFile, self: string): Scope {
  return { local: (name) => f.import(name, self) };
}

/** The names of a file's services. The services' own come first; what collides with them gets a dollar sign. */
export function nameServices(services: readonly DescService[]): ServiceNames[] {
  const taken = new Set<string>();
  const claim = (name: string): string => {
    let unique = name;
    while (taken.has(unique)) unique += "$";
    taken.add(unique);
    return unique;
  };
  const own = services.map(({ name }) => claim(NOT_DECLARABLE.has(name) ? `${name}$` : safeIdentifier(name)));
  return services.map(({ name }, index) => ({
    service: own[index]!,
    client: claim(`${name}Client`),
    handlers: claim(`${name}Handlers`),
    definition: claim(`${name}Definition`),
  }));
}

/**
 * The property names of a service's methods, in their order. A name that every object inherits, or that would make a
 * client a thenable, gets a dollar sign; of two names that differ in their first letter's case alone the later one
 * gets a number.
 */
export function localNames(methods: readonly DescMethod[]): string[] {
  const taken = new Set<string>();
  return methods.map((method) => {
    const name = isReservedProperty(method.localName) ? `${method.localName}$` : method.localName;
    let unique = name;
    for (let i = 2; taken.has(unique); i++) unique = `${name}$${i}`;
    taken.add(unique);
    return unique;
  });
}

function isReservedProperty(name: string): boolean {
  return name === "then" || name in Object.prototype;
}
