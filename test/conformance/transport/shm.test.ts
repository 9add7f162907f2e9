import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe } from "vitest";
import { type ShmOptions, shmTransport } from "../../../transports/shm/index.js";
import type { Place } from "../../../transports/transport.js";
import { shmBinding } from "../../harness/shm.js";
import { transportSuite } from "./suite.js";

const folders: string[] = [];

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "protoipc-test-"));
  folders.push(folder);
  return folder;
}

const byPath = async (): Promise<Place> => ({ kind: "path", path: join(await newFolder(), "market.sock") });
const byName = async (): Promise<Place> => ({ kind: "name", name: "market", directory: await newFolder() });

function suite(title: string, options: ShmOptions, newPlace: () => Promise<Place>): void {
  transportSuite(title, async () => ({ transport: shmTransport(options), newPlace }), {
    hasBlocks: true,
  });
}

afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true });
});

describe.runIf(shmBinding() !== undefined)("shared memory", () => {
  suite("shm, by name", {}, byName);
  suite("shm, by path", {}, byPath);
  suite("shm, sleeping at once", { waiting: "event" }, byPath);
  suite("shm, never sleeping", { waiting: "spin" }, byPath);
});

describe.runIf(shmBinding() !== undefined)("shared memory where external memory is forbidden", () => {
  beforeEach(() => {
    process.env["PROTOIPC_EXTERNAL_MEMORY"] = "0";
  });
  afterEach(() => {
    delete process.env["PROTOIPC_EXTERNAL_MEMORY"];
  });
  suite("shm, copied", {}, byPath);
});
