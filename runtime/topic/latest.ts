import type { LatestValue } from "../api.js";
import type { KeyIdentity } from "./topic-key.js";

/** The newest value of each key, by publisher. `Source` is whatever stands for a publisher. */
export class LatestValues<Source> {
  readonly #byKey = new Map<KeyIdentity, Map<Source, LatestValue<unknown, unknown>>>();

  set(identity: KeyIdentity, source: Source, value: LatestValue<unknown, unknown>): void {
    let values = this.#byKey.get(identity);
    if (values === undefined) {
      values = new Map();
      this.#byKey.set(identity, values);
    }
    values.set(source, value);
  }

  /** All values of a key, newest first. */
  values(identity: KeyIdentity): LatestValue<unknown, unknown>[] {
    const values = [...(this.#byKey.get(identity)?.values() ?? [])];
    return values.sort((a, b) => b.publishedAtMs - a.publishedAtMs);
  }

  newest(identity: KeyIdentity): LatestValue<unknown, unknown> | undefined {
    let newest: LatestValue<unknown, unknown> | undefined;
    for (const value of this.#byKey.get(identity)?.values() ?? []) {
      if (newest === undefined || value.publishedAtMs > newest.publishedAtMs) newest = value;
    }
    return newest;
  }

  /** A publisher is gone, and its values with it. Returns their keys. */
  drop(source: Source): unknown[] {
    const keys: unknown[] = [];
    for (const [identity, values] of this.#byKey) {
      const value = values.get(source);
      if (value === undefined) continue;
      keys.push(value.key);
      values.delete(source);
      if (values.size === 0) this.#byKey.delete(identity);
    }
    return keys;
  }
}
