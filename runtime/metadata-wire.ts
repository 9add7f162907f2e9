import { IpcError } from "./error.js";
import { Metadata, type MetadataInit } from "./metadata.js";
import { metadataContentBytes, type WireMetadata } from "./wire/metadata.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NONE: readonly WireMetadata[] = [];

/** The entries for the wire. Throws `IpcError` RESOURCE_EXHAUSTED above the peer's limit. */
export function toWire(init: MetadataInit | undefined, limitBytes: number): readonly WireMetadata[] {
  if (init === undefined) return NONE;
  const metadata = init instanceof Metadata ? init : new Metadata(init);
  if (metadata.size === 0) return NONE;
  const entries = Array.from(metadata, ([key, value]) => ({
    key,
    value: typeof value === "string" ? encoder.encode(value) : value,
  }));
  const size = metadataContentBytes(entries);
  if (size > limitBytes) {
    throw new IpcError(
      "RESOURCE_EXHAUSTED",
      `metadata of ${size} bytes is above the receiver's limit of ${limitBytes} bytes (maxMetadataBytes)`,
    );
  }
  return entries;
}

/** The entries of a peer. What could not have been sent by the rules is left out. */
export function fromWire(entries: readonly WireMetadata[]): Metadata {
  const metadata = new Metadata();
  for (const { key, value } of entries) {
    try {
      metadata.append(key, key.endsWith("-bin") ? value : decoder.decode(value));
    } catch {
      // A key or text outside the rules tells nothing; gRPC's implementations drop such entries too.
    }
  }
  return metadata;
}
