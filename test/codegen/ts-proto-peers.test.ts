import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type DescMessage, fromBinary, type JsonValue, toJson } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AccountKeySchema, BalanceSchema, EntryKeySchema, EntrySchema } from "../../gen/test/v1/ledger_pb.js";
import { open } from "../../index.js";
import { shmBinding } from "../harness/shm.js";
import { until } from "../harness/until.js";
import { bufGenerate, emptyOutputFolder, repository, typeCheck } from "./compile.js";
import { esPeer } from "./ts-proto/es-peer.js";
import { OPTION_SETS } from "./ts-proto/option-sets.js";
import { type LedgerPeer, LENT_BYTES, PUBLICATIONS, type Seen } from "./ts-proto/peer.js";

const timeout = 120_000;
const programs = join(repository, "test/codegen/ts-proto");
const transports = shmBinding() === undefined ? ["unix"] : ["unix", "shm"];

let folder: string;
let names = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "protoipc-test-"));
  process.env["PROTOIPC_DIR"] = folder;
});
afterAll(() => rm(folder, { recursive: true }));

function json(schema: DescMessage, bytes: Uint8Array): JsonValue {
  return toJson(schema, fromBinary(schema, bytes));
}

function entriesOf(encoded: readonly Uint8Array[]): JsonValue[] {
  return encoded.map((bytes) => json(EntrySchema, bytes));
}

function seenAs(key: DescMessage, message: DescMessage, seen: readonly Seen[]): JsonValue[][] {
  return seen.map((one) => [json(key, one.key), json(message, one.message)]);
}

/** All that happens between two peers, in a form that does not depend on their types. */
async function together(transport: string, server: LedgerPeer, client: LedgerPeer, big: string) {
  const address = `${transport}:ledger-${names++}`;
  await using serving = await open({ name: address, drainTimeoutMs: 100 });
  await using calling = await open({ drainTimeoutMs: 100 });
  const served = await server.serve(serving, big);
  const called = await client.call(calling, address, big);
  await until("the one-way call has come", () => served.flagged.length === 1);
  const subscribed = await client.subscribe(calling, address, big);
  served.publish();
  await until("all publications have come", () => subscribed.received() >= PUBLICATIONS);
  const { entry, total } = subscribed.latest();
  await served.close();
  const { balances, pulse, ...entries } = await subscribed.read();
  return {
    booked: json(EntrySchema, called.booked),
    listed: entriesOf(called.listed),
    matched: entriesOf(called.matched),
    numbers: [called.total, called.count, called.fetched],
    flagged: entriesOf(served.flagged),
    latest: [entry === undefined ? null : json(EntrySchema, entry), total ?? null],
    entries: Object.entries(entries).map(([name, seen]) => [name, seenAs(EntryKeySchema, EntrySchema, seen)]),
    balances: seenAs(AccountKeySchema, BalanceSchema, balances!),
    pulse: seenAs(AccountKeySchema, BalanceSchema, pulse!),
  };
}

describe("two peers over protobuf-es", () => {
  test("do what the others are compared with", { timeout }, async () => {
    const outcome = await together("unix", esPeer, esPeer, "18446744073709551615");
    expect(outcome.booked).toMatchObject({ entryId: "7", serialNumber: "18446744073709551615", memo: "" });
    expect(outcome.listed).toHaveLength(3);
    expect(outcome.matched).toMatchObject([{ memo: "matched" }, { memo: "matched" }, { memo: "matched" }]);
    expect(outcome.numbers).toEqual(["6", 3, "123.5"]);
    expect(outcome.flagged).toMatchObject([{ entryId: "8" }]);
    expect(outcome.latest).toMatchObject([{ entryId: "2" }, "2"]);
    const counts = outcome.entries.map(([name, seen]) => [name, seen!.length]);
    expect(counts).toEqual([
      ["all", 7],
      ["some", 2],
      ["byDigest", 2],
      ["none", 0],
      ["lent", 1],
    ]);
    expect(outcome.balances).toHaveLength(2);
    expect(outcome.pulse).toHaveLength(1);
  });
});

describe.each(OPTION_SETS)("ts-proto with $title", ({ title, options, big, values }) => {
  let tsPeer: LedgerPeer;

  beforeAll(async () => {
    const out = await emptyOutputFolder(`ts-proto-${title}`);
    const { exitCode, stderr } = await bufGenerate(join(repository, "test/proto"), [
      { plugin: "ts_proto", out, options, strategy: "all" },
      { plugin: "protoipc", out, options: ["target=ts", "import_extension=js", "messages=ts-proto"] },
    ]);
    expect(exitCode, stderr).toBe(0);
    await cp(join(programs, "peer.ts"), join(out, "peer.ts"));
    await cp(join(programs, "program/ledger-peer.ts"), join(out, "ledger-peer.ts"));
    await writeFile(join(out, "values.ts"), values);
    tsPeer = (await import(pathToFileURL(join(out, "ledger-peer.ts")).href)) as LedgerPeer;
  }, timeout);

  test("passes the strictest checks, and so does a program that uses it", { timeout }, async () => {
    expect(await typeCheck(join(repository, "test/codegen/out", `ts-proto-${title}`))).toEqual([]);
  });

  test.each(transports)("calls, serves, publishes and subscribes over %s", { timeout }, async (transport) => {
    const expected = await together(transport, esPeer, esPeer, big);
    expect(await together(transport, esPeer, tsPeer, big)).toEqual(expected);
    expect(await together(transport, tsPeer, esPeer, big)).toEqual(expected);
    expect(await together(transport, tsPeer, tsPeer, big)).toEqual(expected);
  });
});

test("what is lent is large enough to be borrowed", () => {
  expect(LENT_BYTES).toBeGreaterThan(65_536);
});
