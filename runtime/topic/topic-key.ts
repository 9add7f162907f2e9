import { IpcError } from "../error.js";

type KeyFields = Readonly<Record<string, unknown>>;

/** A key's identity: equal for keys that are equal in every field. */
export type KeyIdentity = string | number | bigint | boolean;

/** The identity of a whole key. Throws `IpcError` INVALID_ARGUMENT that names a field which is not set. */
export function keyIdentity(topic: string, fields: readonly string[], key: unknown): KeyIdentity {
  if (typeof key !== "object" || key === null) {
    throw new IpcError(
      "INVALID_ARGUMENT",
      `${topic}: the key is ${key === null ? "null" : typeof key}, not a message`,
    );
  }
  const values = key as KeyFields;
  if (fields.length === 1) {
    const value = fieldOf(topic, values, fields[0]!);
    return typeof value === "object" ? textOf(value) : (value as KeyIdentity);
  }
  let identity = "";
  for (const field of fields) {
    const text = textOf(fieldOf(topic, values, field));
    // The length in front keeps ("a", "bc") apart from ("ab", "c").
    identity += `${text.length}:${text}`;
  }
  return identity;
}

function fieldOf(topic: string, key: KeyFields, field: string): unknown {
  // Presence is what the object itself holds: unset fields of proto2 read as their defaults through the prototype.
  const value = Object.hasOwn(key, field) ? key[field] : undefined;
  if (isUnset(value)) {
    throw new IpcError(
      "INVALID_ARGUMENT",
      `${topic}: the key's field ${field} is not set; publishing sets every one`,
    );
  }
  return value;
}

/** What ts-proto generates says null for a field that is not set, where it was told so. */
function isUnset(value: unknown): boolean {
  return value === undefined || value === null;
}

/** Equal for values of one field that are equal. ts-proto can have objects for 64-bit integers, of the package `long`. */
function textOf(value: unknown): string {
  return value instanceof Uint8Array ? bytesText(value) : String(value);
}

function bytesText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether the key is equal to the filter in every field that the filter sets. */
export function matchesFilter(fields: readonly string[], filter: unknown, key: unknown): boolean {
  const wanted = filter as KeyFields;
  const actual = key as KeyFields;
  return fields.every((field) => {
    const value = Object.hasOwn(wanted, field) ? wanted[field] : undefined;
    return isUnset(value) || sameValue(value, actual[field]);
  });
}

function sameValue(a: unknown, b: unknown): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    return a.length === b.length && a.every((byte, index) => byte === b[index]);
  }
  if (typeof a === "object" && typeof b === "object") return textOf(a) === textOf(b);
  return Object.is(a, b) || a === b;
}
