import type { DescField, DescFile, DescMethod } from "@bufbuild/protobuf";

/** Something in a .proto file that the plugin refuses. */
export interface Problem {
  /** "file:line:column", or the file alone where the compiler gave no positions. */
  readonly location: string;
  /** The full name of what is refused. */
  readonly subject: string;
  readonly reason: string;
}

// Numbers of fields in descriptor.proto, which make up the paths of source locations.
const FILE_MESSAGE = 4;
const FILE_SERVICE = 6;
const MESSAGE_FIELD = 2;
const MESSAGE_NESTED = 3;
const SERVICE_METHOD = 2;
const METHOD_OPTIONS = 4;

/** Fails with all problems, if there are any. */
export function throwProblems(problems: readonly Problem[]): void {
  if (problems.length === 0) return;
  const lines = problems.map(({ location, subject, reason }) => `${location}: ${subject}: ${reason}`);
  throw new Error([`${problems.length} problem${problems.length > 1 ? "s" : ""}`, ...lines].join("\n"));
}

/** Where a method stands or, with the number of an option that it carries, where that option stands. */
export function locateMethod(method: DescMethod, optionNumber?: number): string {
  const service = method.parent;
  const path = [
    FILE_SERVICE,
    service.file.proto.service.indexOf(service.proto),
    SERVICE_METHOD,
    service.proto.method.indexOf(method.proto),
  ];
  const optionPath = optionNumber === undefined ? path : [...path, METHOD_OPTIONS, optionNumber];
  return locate(service.file, optionPath) ?? locate(service.file, path) ?? service.file.proto.name;
}

/** Where a field stands. */
export function locateField(field: DescField): string {
  let message = field.parent;
  const path = [MESSAGE_FIELD, message.proto.field.indexOf(field.proto)];
  while (message.parent !== undefined) {
    path.unshift(MESSAGE_NESTED, message.parent.proto.nestedType.indexOf(message.proto));
    message = message.parent;
  }
  path.unshift(FILE_MESSAGE, message.file.proto.messageType.indexOf(message.proto));
  return locate(message.file, path) ?? message.file.proto.name;
}

function locate(file: DescFile, path: readonly number[]): string | undefined {
  const location = file.proto.sourceCodeInfo?.location.find(
    // An option may be recorded field by field only: its first field is where it stands.
    (candidate) =>
      candidate.path.length >= path.length && path.every((step, depth) => candidate.path[depth] === step),
  );
  const [line, column] = location?.span ?? [];
  if (line === undefined || column === undefined) return undefined;
  return `${file.proto.name}:${line + 1}:${column + 1}`;
}
