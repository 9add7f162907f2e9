import { memoryTransport } from "../../../transports/memory/index.js";
import { transportSuite } from "./suite.js";

let places = 0;

transportSuite(
  "memory",
  async () => ({
    transport: memoryTransport(),
    newPlace: async () => ({ kind: "path", path: `conformance-${places++}` }),
  }),
  { hasBlocks: true },
);
