import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { unixTransport } from "../../../transports/unix/index.js";
import { transportSuite } from "./suite.js";

const folders: string[] = [];

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "protoipc-test-"));
  folders.push(folder);
  return folder;
}

afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true });
});

transportSuite("unix, by name", async () => ({
  transport: unixTransport(),
  newPlace: async () => ({ kind: "name", name: "market", directory: await newFolder() }),
}));

transportSuite("unix, by path", async () => ({
  transport: unixTransport(),
  newPlace: async () => ({ kind: "path", path: join(await newFolder(), "market.sock") }),
}));
