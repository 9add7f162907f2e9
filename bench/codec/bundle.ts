/**
 * What generated codecs add to a program that is bundled, in bytes: `npm run bench:bundle`. Writes
 * bench/results/codec-bundle.json and .md.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { repository } from "./generate.js";

/** Schemas of a public service: requests, resources, lists, maps, oneofs and well-known types, as they are written. */
const SCHEMAS = ["google/pubsub/v1/pubsub.proto", "google/pubsub/v1/schema.proto"];
const OUT = join(repository, ".cache/bench-bundle");

/** Bytes of a bundle. */
export interface Size {
  readonly minified: number;
  readonly gzipped: number;
}

/** What codecs cost a bundle: their code, and, once for all of them, what they are made of. */
export interface BundleCost {
  readonly messages: number;
  readonly codecs: Size;
  readonly runtime: Size;
}

/** Generates the codecs of all messages of the schemas, and bundles them. What protobuf-es needs anyway does not count. */
export async function bundleCost(): Promise<BundleCost> {
  const files = generate();
  const entry = join(OUT, "entry.js");
  writeFileSync(entry, files.map((file, i) => `export * as file${i} from "./${file}";\n`).join(""));
  const { code, imported } = await bundle(entry, (id) => !id.includes("_codec"));
  const runtimeEntry = join(OUT, "runtime.js");
  writeFileSync(runtimeEntry, `export { ${imported.join(", ")} } from "protoipc/codegen-v1";\n`);
  const runtime = await bundle(runtimeEntry, (id) => id.startsWith("@bufbuild/"));
  return {
    messages: files.reduce((sum, file) => sum + countCodecs(file), 0),
    codecs: sizeOf(code),
    runtime: sizeOf(runtime.code),
  };
}

/** Returns the files of codecs, relative to the folder. */
function generate(): string[] {
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  const binaries = join(repository, "node_modules/.bin");
  const plugin = join(binaries, "protoc-gen-protoipc");
  const options = ["target=js", "import_extension=js", "codec_messages=all"];
  execFileSync(
    join(binaries, "protoc"),
    [
      ...["-I", join(repository, "node_modules/google-proto-files")],
      `--plugin=protoc-gen-protoipc=${plugin}`,
      ...[`--protoipc_out=${OUT}`, `--protoipc_opt=${options.join(",")}`],
      ...SCHEMAS,
    ],
    { stdio: ["ignore", "inherit", "ignore"] },
  );
  return readdirSync(OUT, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith("_codec.js"));
}

function countCodecs(file: string): number {
  return readFileSync(join(OUT, file), "utf8").match(/^export const \w+Codec = /gm)?.length ?? 0;
}

/** Bundles and minifies a file with all that is not external; `imported`: what it takes from the contract. */
async function bundle(
  entry: string,
  external: (id: string) => boolean,
): Promise<{ readonly code: string; readonly imported: string[] }> {
  const built = await rolldown({
    input: entry,
    platform: "node",
    external: (id) => id !== entry && external(id),
  });
  const { output } = await built.generate({ format: "esm", minify: true });
  await built.close();
  const { code } = output[0];
  const names = [...code.matchAll(/import\{([^}]*)\}from"protoipc\/codegen-v1"/g)].flatMap(([, list = ""]) =>
    list.split(",").map((item) => item.split(" as ")[0]!),
  );
  return { code, imported: [...new Set(names)] };
}

function sizeOf(code: string): Size {
  return { minified: Buffer.byteLength(code), gzipped: gzipSync(code, { level: 9 }).length };
}

/** As a table; figures for a hundred messages. */
function report(cost: BundleCost, date: string): string {
  const { messages, codecs, runtime } = cost;
  const ofHundred = (bytes: number): string => `${((bytes / messages) * 100 * 1e-3).toFixed(1)} kB`;
  return `# What codecs add to a bundle

Written by \`npm run bench:bundle\` on ${date}, with rolldown: the codecs of all ${messages} messages of
${SCHEMAS.map((file) => `\`${file}\``).join(" and ")}.

| | minified | minified and gzipped |
| --- | ---: | ---: |
| 100 messages | ${ofHundred(codecs.minified)} | ${ofHundred(codecs.gzipped)} |
| what they are made of, once | ${(runtime.minified * 1e-3).toFixed(1)} kB | ${(runtime.gzipped * 1e-3).toFixed(1)} kB |
`;
}

if (process.argv[1] === import.meta.filename) {
  const cost = await bundleCost();
  const date = new Date().toISOString();
  const text = report(cost, date);
  const path = join(repository, "bench/results/codec-bundle");
  writeFileSync(`${path}.json`, `${JSON.stringify({ date, schemas: SCHEMAS, ...cost }, null, 2)}\n`);
  writeFileSync(`${path}.md`, text);
  console.log(text);
}
