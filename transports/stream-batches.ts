import type { BatchLayout } from "./transport.js";
import { writePaddedVarint } from "../runtime/wire/varint.js";

/** As wide for every record, so that the length can be written when the record is there: enough for 2 MiB. */
const PREFIX_BYTES = 3;

/** Records for byte streams, each behind its length. */
export const STREAM_BATCHES: BatchLayout = {
  maxRecords: 256,
  headerBytes: PREFIX_BYTES,
  alignBytes: 1,
  writeHeader(bytes, at, recordBytes) {
    writePaddedVarint(bytes, at, recordBytes, PREFIX_BYTES);
  },
};
