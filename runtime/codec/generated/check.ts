import { unfit } from "./unfit.js";

// What a field that is set must be. A field that is not set is `undefined`, which is taken everywhere but in lists.

const MAX_FLOAT = 3.4028234663852886e38;
const MIN_INT64 = -0x8000_0000_0000_0000n;
const MAX_INT64 = 0x7fff_ffff_ffff_ffffn;
const MAX_UINT64 = 0xffff_ffff_ffff_ffffn;

const signed = new BigInt64Array(1);
const unsigned = new BigUint64Array(1);

export function checkInt32(value: number | undefined): void {
  if ((value! | 0) !== value && value !== undefined) unfit();
}

export function checkUint32(value: number | undefined): void {
  if (value! >>> 0 !== value && value !== undefined) unfit();
}

export function checkInt64(value: bigint | undefined): void {
  if (value === undefined) return;
  // Comparing with what is left of it is much faster than comparing with the limits. Other types throw.
  signed[0] = value;
  if (signed[0] !== value) unfit();
}

export function checkUint64(value: bigint | undefined): void {
  if (value === undefined) return;
  unsigned[0] = value;
  if (unsigned[0] !== value) unfit();
}

/** A field of 64 bits that is a string (`jstype`). */
export function checkInt64String(value: string | undefined): void {
  if (value !== undefined && !isWithin(value, MIN_INT64, MAX_INT64)) unfit();
}

export function checkUint64String(value: string | undefined): void {
  if (value !== undefined && !isWithin(value, 0n, MAX_UINT64)) unfit();
}

function isWithin(value: string, min: bigint, max: bigint): boolean {
  if (typeof value !== "string") return false;
  const number = BigInt(value);
  return number >= min && number <= max;
}

export function checkDouble(value: number | undefined): void {
  if (typeof value !== "number" && value !== undefined) unfit();
}

/** Numbers that a float rounds to infinity are out of range. */
export function checkFloat(value: number | undefined): void {
  if (value === undefined) return;
  if (typeof value !== "number") unfit();
  if ((value > MAX_FLOAT || value < -MAX_FLOAT) && !isFloat(value)) unfit();
}

function isFloat(value: number): boolean {
  return Number.isFinite(Math.fround(value)) || !Number.isFinite(value);
}

export function checkBool(value: boolean | undefined): void {
  if (typeof value !== "boolean" && value !== undefined) unfit();
}

/** Whether a field of a message is set for itself, and not by the prototype, which holds the defaults. */
export function isOwn(message: object, name: string): boolean {
  return Object.hasOwn(message, name);
}

// Keys of maps are the names of properties.

export function int32Key(key: string): number {
  return Number.parseInt(key, 10);
}

export function boolKey(key: string): boolean {
  if (key !== "true" && key !== "false") unfit();
  return key === "true";
}
