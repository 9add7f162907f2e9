import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Struct, Value } from "@bufbuild/protobuf/wkt";

// protobuf-es holds a google.protobuf.Struct that is a field of another message as the JSON that it stands for.

/** The message that stands for a JSON object. */
export function structFromJson(json: JsonObject): Struct {
  const fields: Record<string, Value> = {};
  if (typeof json === "object" && json !== null && !Array.isArray(json)) {
    for (const key of Object.keys(json)) setEntry(fields, key, valueFromJson(json[key]));
  }
  return { $typeName: "google.protobuf.Struct", fields };
}

/** The JSON object that a message stands for. */
export function structToJson(struct: Struct): JsonObject {
  const json: JsonObject = {};
  for (const key of Object.keys(struct.fields)) setEntry(json, key, valueToJson(struct.fields[key]!));
  return json;
}

function valueFromJson(json: JsonValue | undefined): Value {
  return { $typeName: "google.protobuf.Value", kind: kindFromJson(json) };
}

function kindFromJson(json: JsonValue | undefined): Value["kind"] {
  switch (typeof json) {
    case "number":
      return { case: "numberValue", value: json };
    case "string":
      return { case: "stringValue", value: json };
    case "boolean":
      return { case: "boolValue", value: json };
    case "object":
      if (json === null) return { case: "nullValue", value: 0 };
      if (!Array.isArray(json)) return { case: "structValue", value: structFromJson(json) };
      return {
        case: "listValue",
        value: { $typeName: "google.protobuf.ListValue", values: json.map(valueFromJson) },
      };
    default:
      return { case: undefined };
  }
}

function valueToJson({ kind }: Value): JsonValue {
  switch (kind.case) {
    case "structValue":
      return structToJson(kind.value);
    case "listValue":
      return kind.value.values.map(valueToJson);
    case "nullValue":
    case undefined:
      return null;
    default:
      return kind.value;
  }
}

/** Sets a property of an object that is used as a map: `__proto__` is a key like others. */
export function setEntry<T>(
  map: { [key: string]: T } | { [key: number]: T },
  key: string | number,
  value: T,
): void {
  if (key === "__proto__") {
    Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    (map as { [key: string | number]: T })[key] = value;
  }
}
