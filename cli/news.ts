import { isDeepStrictEqual } from "node:util";
import type { JsonValue } from "@bufbuild/protobuf";
import type { AnyTopic, Publication } from "../index.js";

/** Whether a publication is worth showing; `key` and `message` are what would be shown of it. */
export type IsNews = (
  publication: Publication<unknown, unknown>,
  key: JsonValue | undefined,
  message: JsonValue,
) => boolean;

/** A subscription, whatever its key. */
interface HasLatest {
  latest(...key: unknown[]): { readonly message: unknown } | undefined;
}

/**
 * Tells the newest value of each key, and then those that differ from the one before. What has come meanwhile with a newer
 * value behind it is none.
 */
export function newsOf(topic: AnyTopic, subscription: HasLatest): IsNews {
  const shown = new Map<string, JsonValue>();
  // The others keep no values: the newest is the one that comes.
  const keepsValues = topic.rules.history > 0;
  const newestOf = (key: unknown): unknown =>
    (key === undefined ? subscription.latest() : subscription.latest(key))?.message;
  return (publication, key, message) => {
    if (keepsValues && newestOf(publication.key) !== publication.message) return false;
    const id = JSON.stringify(key ?? null);
    if (shown.has(id) && isDeepStrictEqual(shown.get(id), message)) return false;
    shown.set(id, message);
    return true;
  };
}
