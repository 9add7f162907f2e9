import type { MessageLayout } from "./layout.js";

/** Throws a `TypeError` for what is no generated class of the topic's messages. */
export function checkInPlaceType(option: "view" | "writer", type: unknown, typeName: string): void {
  const layout =
    typeof type === "function" ? (type as { readonly layout?: MessageLayout }).layout : undefined;
  if (layout?.typeName === typeName) return;
  const is = layout === undefined ? "no generated class" : `one of ${layout.typeName}`;
  throw new TypeError(`${option} is ${is}; the topic's messages are ${typeName}`);
}
