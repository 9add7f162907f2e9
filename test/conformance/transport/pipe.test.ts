import { join } from "node:path";
import { pipeTransport } from "../../../transports/pipe/index.js";
import { newFolder } from "../../transports/folder.js";
import { makeFifos } from "../../harness/make-fifos.js";
import { transportSuite } from "./suite.js";

transportSuite("pipe, by name", async () => ({
  transport: pipeTransport({ makeFifos }),
  newPlace: async () => ({ kind: "name", name: "market", directory: await newFolder() }),
}));

// On Windows nobody vouches for a pipe that is given by its path: see test/wine/pipe.test.ts.
if (process.platform !== "win32") {
  transportSuite("pipe, by path", async () => ({
    transport: pipeTransport({ makeFifos }),
    newPlace: async () => ({ kind: "path", path: join(await newFolder(), "market.fifo") }),
  }));
}
