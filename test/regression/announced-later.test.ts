// What kept an endpoint from saying what it offers may pass, and it says so then, without being asked.
import { chmod, mkdir, mkdtemp, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { type Endpoint, open, type OpenOptions } from "../../index.js";

const WITHIN_MS = 10_000;

let root = "";
let endpoints: Endpoint[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "protoipc-test-"));
  process.env["PROTOIPC_DIR"] = root;
});

afterEach(async () => {
  for (const endpoint of endpoints) await endpoint.close();
  endpoints = [];
  delete process.env["PROTOIPC_DIR"];
  await rm(root, { recursive: true });
});

/** An endpoint, and what it says of itself that went wrong. */
async function opened(options: OpenOptions = {}): Promise<{ endpoint: Endpoint; refused: string[] }> {
  const endpoint = await open(options);
  endpoints.push(endpoint);
  const refused: string[] = [];
  endpoint.on("endpointRefused", (_name, { message }) => refused.push(message));
  return { endpoint, refused };
}

async function topicsSeenBy(seeker: Endpoint): Promise<string[]> {
  return (await seeker.peers()).flatMap(({ topics }) => topics.map(({ name }) => name));
}

it("by one that has a name", async () => {
  const { endpoint, refused } = await opened({ name: "market" });
  const { endpoint: seeker } = await opened();
  const entry = join(root, "default", "market", "entry");
  await rm(entry);
  await mkdir(entry);
  await endpoint.publisher(Echo.keyed);
  // Once, however often it is tried meanwhile.
  await sleep(500);
  expect(refused).toEqual([expect.stringContaining("others cannot find this endpoint")]);
  await rmdir(entry);
  await expect.poll(() => topicsSeenBy(seeker), { timeout: WITHIN_MS }).toEqual([Echo.keyed.fullName]);
  expect(refused.length).toBe(1);
});

it("by one without, which has left nothing of its attempts", async () => {
  const domain = join(root, "default");
  await mkdir(domain, { mode: 0o755 });
  const { endpoint, refused } = await opened();
  await endpoint.publisher(Echo.keyed);
  expect(refused).toEqual([expect.stringContaining("others cannot find this endpoint")]);
  expect(endpoint.addresses).toEqual([]);
  await chmod(domain, 0o700);
  const { endpoint: seeker } = await opened();
  await expect.poll(() => topicsSeenBy(seeker), { timeout: WITHIN_MS }).toEqual([Echo.keyed.fullName]);
  expect(refused.length).toBe(1);
});
