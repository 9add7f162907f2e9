import { IpcError } from "./error.js";

/** A value of metadata: text, or bytes under a key that ends in "-bin". */
export type MetadataValue = string | Uint8Array;

/** What users may pass where metadata is wanted. */
export type MetadataInit =
  | Metadata
  | Readonly<Record<string, MetadataValue>>
  | Iterable<readonly [string, MetadataValue]>;

const KEY_PATTERN = /^[a-z0-9_.-]+$/;
const TEXT_PATTERN = /^[\x20-\x7e]*$/;

/**
 * Name and value pairs beside a call, as in gRPC. Keys are case-insensitive and may repeat. A key that ends in "-bin"
 * holds bytes, any other printable ASCII text.
 */
export class Metadata implements Iterable<readonly [string, MetadataValue]> {
  readonly #entries: (readonly [string, MetadataValue])[] = [];

  /** With the entries given. Throws `IpcError` INVALID_ARGUMENT for a key or value that cannot travel. */
  constructor(init?: MetadataInit) {
    if (init === undefined) return;
    const pairs = Symbol.iterator in init ? init : Object.entries(init);
    for (const [key, value] of pairs) this.append(key, value);
  }

  /** How many entries there are. */
  get size(): number {
    return this.#entries.length;
  }

  /** The first value under the key. */
  get(key: string): MetadataValue | undefined {
    const wanted = key.toLowerCase();
    return this.#entries.find(([name]) => name === wanted)?.[1];
  }

  /** Every value under the key, in the order of their appending. */
  getAll(key: string): MetadataValue[] {
    const wanted = key.toLowerCase();
    return this.#entries.filter(([name]) => name === wanted).map(([, value]) => value);
  }

  /** Whether there is a value under the key. */
  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** Replaces what stands under the key. Throws `IpcError` INVALID_ARGUMENT for a key or value that cannot travel. */
  set(key: string, value: MetadataValue): void {
    this.delete(key);
    this.append(key, value);
  }

  /** Adds a value beside those under the key. Throws `IpcError` INVALID_ARGUMENT for what cannot travel. */
  append(key: string, value: MetadataValue): void {
    const name = key.toLowerCase();
    if (!KEY_PATTERN.test(name)) {
      throw new IpcError(
        "INVALID_ARGUMENT",
        `metadata key ${JSON.stringify(key)} may only have a-z, 0-9, "_", "-", "."`,
      );
    }
    const isBytes: unknown = value instanceof Uint8Array;
    if (typeof value !== "string" && isBytes !== true) {
      throw new IpcError(
        "INVALID_ARGUMENT",
        `metadata ${name}: a value is text or a Uint8Array, and this one is ${value === null ? "null" : `a ${typeof value}`}`,
      );
    }
    if (name.endsWith("-bin") !== value instanceof Uint8Array) {
      throw new IpcError(
        "INVALID_ARGUMENT",
        `metadata ${name}: bytes go with keys that end in "-bin", text with others`,
      );
    }
    if (typeof value === "string" && !TEXT_PATTERN.test(value)) {
      throw new IpcError(
        "INVALID_ARGUMENT",
        `metadata ${name}: text may only have printable ASCII; use a "-bin" key`,
      );
    }
    this.#entries.push([name, value]);
  }

  /** Removes every value under the key. */
  delete(key: string): void {
    const wanted = key.toLowerCase();
    for (let i = this.#entries.length - 1; i >= 0; i--) {
      if (this.#entries[i]![0] === wanted) this.#entries.splice(i, 1);
    }
  }

  /** The entries in the order of their appending, keys in lower case. */
  [Symbol.iterator](): Iterator<readonly [string, MetadataValue]> {
    return this.#entries[Symbol.iterator]();
  }
}
