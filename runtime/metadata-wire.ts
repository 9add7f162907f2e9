import { IpcError } from "./error.js";
import { Metadata, type MetadataInit } from "./metadata.js";
import type { WireLimits } from "./wire/hello.js";
import { metadataContentBytes, metadataSize, type WireMetadata } from "./wire/metadata.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NONE: readonly WireMetadata[] = [];

/** What a frame's header has beside metadata and status: numbers and tags, at most. */
const OTHER_HEADER_BYTES = 256;

/** The entries for the wire. Throws `IpcError` RESOURCE_EXHAUSTED above the peer's limits, if there is a peer. */
export function toWire(
  init: MetadataInit | undefined,
  limits: WireLimits | undefined,
): readonly WireMetadata[] {
  if (init === undefined) return NONE;
  const metadata = init instanceof Metadata ? init : new Metadata(init);
  if (metadata.size === 0) return NONE;
  const entries = Array.from(metadata, ([key, value]) => ({
    key,
    value: typeof value === "string" ? encoder.encode(value) : value,
  }));
  if (limits !== undefined) checkSize(entries, limits);
  return entries;
}

function checkSize(entries: readonly WireMetadata[], limits: WireLimits): void {
  const { maxMetadataBytes, maxHeaderBytes } = limits;
  const size = metadataContentBytes(entries);
  if (size > maxMetadataBytes) {
    throw new IpcError(
      "RESOURCE_EXHAUSTED",
      `metadata of ${size} bytes is above the receiver's limit of ${maxMetadataBytes} bytes (maxMetadataBytes)`,
    );
  }
  // The other half of the header is the status's, or the method's name's.
  const room = Math.max(0, maxHeaderBytes / 2 - OTHER_HEADER_BYTES);
  const encodedSize = metadataSize(entries);
  if (encodedSize > room) {
    throw new IpcError(
      "RESOURCE_EXHAUSTED",
      `metadata of ${encodedSize} bytes, encoded, is above the ${room} bytes that it may have of a frame's header ` +
        `at the receiver's limit of ${maxHeaderBytes} bytes (maxHeaderBytes)`,
    );
  }
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
