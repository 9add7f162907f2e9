/** Tries generated codecs against protobuf-es: `npm run codec:differential -- --messages 100000 --mutations 1000000`. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { protoFiles, repository } from "../codegen/compile.js";
import { tryPairs } from "./differential.js";
import { googlePairs } from "./google-pairs.js";
import { generatePairs } from "./pairs.js";

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "100000" },
    mutations: { type: "string", default: "1000000" },
    seed: { type: "string" },
  },
});
const seed = values.seed === undefined ? Date.now() & 0x3fff_ffff : Number(values.seed);
const amount = { messages: Number(values.messages), mutations: Number(values.mutations), seed };

const schemas = join(repository, "test/codec/schemas");
const out = join(repository, ".cache/codec-differential");
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const broad = await generatePairs(schemas, protoFiles(schemas), out);
const google = await googlePairs(join(out, "google"));
console.log(`${broad.length} types of messages of our own, ${google.length} of Google's, seed ${seed}`);
console.log(tryPairs([...broad, ...google], amount));
