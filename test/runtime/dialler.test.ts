import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { dial } from "../../runtime/dialler.js";
import type { Names } from "../../runtime/names.js";
import { memoryTransport } from "../../transports/memory/index.js";
import type { Link, LinkLimits, Listener, Transport } from "../../transports/transport.js";
import { unixTransport } from "../../transports/unix/index.js";
import { failureOf } from "../harness/failure.js";

const LIMITS: LinkLimits = { maxRecordBytes: 1_000_000, frameTimeoutMs: 5_000, sendBufferBytes: 100_000 };

let folder = "";
let listener: Listener | undefined;
const links: Link[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "protoipc-test-"));
});
afterEach(async () => {
  for (const link of links.splice(0)) link.close();
  await listener?.close();
  listener = undefined;
  await rm(folder, { recursive: true });
});

/** Endpoints in `directory`, which say that they listen on these. */
function namesOf(directory: string, ...offered: readonly string[]): Names {
  return {
    domain: "test",
    claim: () => Promise.reject(new Error("no names are taken here")),
    locate: async () => ({ directory, transports: offered }),
  };
}

/** A transport over which nobody is reached: there is no socket. */
const absent = (name: string): Transport => ({ ...unixTransport(), name });
/** A transport over which "market" is reached in `folder`. */
async function present(name: string): Promise<Transport> {
  const transport = { ...memoryTransport(), name };
  const place = { kind: "name", name: "market", directory: folder } as const;
  listener = await transport.listen(place, LIMITS, (link) => links.push(link));
  return transport;
}

async function dialMarket(transports: readonly Transport[], names: Names): Promise<string> {
  const { link, reason } = await dial({ transports, names, limits: LIMITS }, "market");
  links.push(link);
  return reason;
}

describe("a bare name", () => {
  it("is dialled over the first transport that both sides have", async () => {
    const unix = await present("unix");
    expect(await dialMarket([unix, absent("pipe")], namesOf(folder, "pipe", "unix"))).toBe(
      "unix is the best of unix, pipe",
    );
    expect(await dialMarket([absent("shm"), unix], namesOf(folder, "unix"))).toBe(
      "unix is the only transport that both sides have",
    );
  });

  it("is dialled over the next where the best does not lead there, which the reason says", async () => {
    const reason = await dialMarket([absent("shm"), await present("unix")], namesOf(folder, "shm", "unix"));
    expect(reason).toMatch(/^shm: .*; unix is next$/);
    expect(reason).toContain(folder);
  });

  it("tells that shared memory was to be had, where this process does not have it", async () => {
    const unix = await present("unix");
    const names = namesOf(folder, "shm", "unix");
    expect(await dialMarket([unix], names)).toBe(
      "shm is not built here: run npx protoipc build; unix is the only transport that both sides have",
    );
    const alone = await failureOf(dialMarket([unix], namesOf(folder, "shm")));
    expect(alone).toMatchObject({
      code: "UNAVAILABLE",
      rawMessage:
        'endpoint "market" listens on shm; this process has unix; shm is not built here: run npx protoipc build',
    });
  });

  it("fails with what each transport said where none leads there", async () => {
    const failure = await failureOf(
      dialMarket([absent("shm"), absent("unix")], namesOf(folder, "shm", "unix")),
    );
    expect(failure.code).toBe("UNAVAILABLE");
    expect(failure.message).toContain("; shm: ");
    // Paths are for this side alone.
    expect(failure.peerMessage).not.toContain(folder);
  });

  it("is not tried further where the place itself is wrong", async () => {
    const long = join(folder, "x".repeat(120));
    const failure = await failureOf(
      dialMarket([absent("shm"), await present("unix")], namesOf(long, "shm", "unix")),
    );
    expect(failure.code).toBe("INVALID_ARGUMENT");
  });
});
