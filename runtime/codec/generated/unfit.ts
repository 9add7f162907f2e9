/**
 * Thrown by the generated code for a message that it does not take: a value of another type than its field's, a number
 * out of range, a required field that is not set. The codec then asks protobuf-es, which either takes the message or says
 * which field is wrong.
 */
export class UnfitError extends Error {}

/** Ends the encoding of a message that the generated code does not take. */
export function unfit(): never {
  throw new UnfitError("the message does not fit its type");
}

/** Checks what has no `$typeName` of the expected type: an init object is taken, everything else is not. */
export function checkInit(message: unknown): void {
  if (typeof message !== "object" || message === null || Array.isArray(message)) unfit();
  if ((message as { readonly $typeName?: unknown }).$typeName !== undefined) unfit();
}
