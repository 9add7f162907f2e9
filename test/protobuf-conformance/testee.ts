/**
 * The program that the runner of protobuf's conformance suite talks to: a request on standard input, a response on standard
 * output, each behind its length. Arguments: the folder of the generated code, and where the tally goes.
 */
import { readSync, readdirSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  create,
  createRegistry,
  type DescFile,
  type DescMessage,
  fromBinary,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import { answer, type Request, type Tally, type Testee } from "./answer.js";
import { loadCodecs } from "./codec-of.js";

const STDIN = 0;
const STDOUT = 1;

/** The files below the folder that protoc-gen-es has generated, and all that they import. */
async function loadFiles(folder: string): Promise<DescFile[]> {
  const files = new Set<DescFile>();
  const add = (file: DescFile): void => {
    if (files.has(file)) return;
    files.add(file);
    for (const imported of file.dependencies) add(imported);
  };
  for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!path.endsWith("_pb.js")) continue;
    const exported: Record<string, unknown> = await import(pathToFileURL(join(folder, path)).href);
    for (const [name, value] of Object.entries(exported)) {
      if (name.startsWith("file_")) add(value as DescFile);
    }
  }
  return [...files];
}

/** Blocks until there are so many bytes; `undefined` at the end of the input. */
function read(length: number): Buffer | undefined {
  const bytes = Buffer.alloc(length);
  for (let filled = 0; filled < length; ) {
    const count = readSync(STDIN, bytes, filled, length - filled, null);
    if (count === 0) return undefined;
    filled += count;
  }
  return bytes;
}

function write(bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(STDOUT, bytes, written, bytes.length - written);
  }
}

function answerAll(request: DescMessage, response: DescMessage, testee: Testee): void {
  for (let head = read(4); head !== undefined; head = read(4)) {
    const asked = read(head.readUInt32LE());
    if (asked === undefined) return;
    const result = answer(fromBinary(request, asked) as Message & Request, testee);
    const bytes = toBinary(response, create(response, { result }));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    write(length);
    write(bytes);
  }
}

const [folder, tallyPath] = process.argv.slice(2);
if (folder === undefined || tallyPath === undefined) throw new Error("usage: testee.js FOLDER TALLY");
const registry = createRegistry(...(await loadFiles(folder)));
const request = registry.getMessage("conformance.ConformanceRequest");
const response = registry.getMessage("conformance.ConformanceResponse");
if (request === undefined || response === undefined) throw new Error(`${folder} lacks conformance_pb.js`);
const tally: Tally = { decoded: 0, encoded: 0, skipped: new Map() };
const codecOf = await loadCodecs(folder);
answerAll(request, response, { registry, codecOf, tally });
// Two suites, each with a testee of its own: each adds a line.
writeFileSync(tallyPath, `${JSON.stringify({ ...tally, skipped: [...tally.skipped] })}\n`, { flag: "a" });
