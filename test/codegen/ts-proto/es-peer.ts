import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type AccountKey,
  AccountKeySchema,
  type Balance,
  BalanceSchema,
  type Entry,
  type EntryKey,
  EntryKeySchema,
  EntrySchema,
  Side,
} from "../../../gen/test/v1/ledger_pb.js";
import { Ledger } from "../../../gen/test/v1/ledger_protoipc.js";
import { collect } from "../../harness/failure.js";
import { LENT_BYTES, type LedgerPeer, type Seen } from "./peer.js";

function entryOf(id: number, big: string): Entry {
  return create(EntrySchema, {
    entryId: BigInt(id),
    serialNumber: BigInt(big),
    memo: "",
    side: Side.CREDIT,
    lines: [{ label: "żółw", amount: -5n, tags: [1, 300] }, {}],
    totals: { first: -7n, second: 0n },
    proof: { case: "signedNote", value: "signed" },
    bookedAt: timestampFromMs(1_700_000_000_123),
    owner: "somebody",
    body: Uint8Array.of(1, 2, 3),
    parts: [0n, BigInt(big)],
    reversed: { memo: "reversed" },
  });
}

function keyOf(account: number, side: Side) {
  return {
    accountId: BigInt(account),
    side,
    digest: Uint8Array.of(account, 0),
    currencyCode: "",
    isOpen: false,
  };
}

const encodedEntry = (entry: Entry): Uint8Array => toBinary(EntrySchema, entry);

async function* several(big: string): AsyncIterable<Entry> {
  for (const id of [1, 2, 3]) yield entryOf(id, big);
}

/** A side of test.v1.Ledger over protobuf-es: what all others are compared with. */
export const esPeer: LedgerPeer = {
  async serve(endpoint, big) {
    const flagged: Uint8Array[] = [];
    endpoint.serve(Ledger, {
      book: (entry) => entry,
      async *list({ amount }) {
        for (let id = 0; id < Number(amount); id++) yield entryOf(id, big);
      },
      async sum(entries) {
        const all = await collect(entries);
        return { total: all.reduce((sum, { entryId }) => sum + entryId, 0n), count: all.length };
      },
      async *match(entries) {
        for await (const entry of entries) yield { ...entry, memo: "matched" };
      },
      flag(entry) {
        flagged.push(encodedEntry(entry));
      },
      fetch: ({ value }) => ({ seconds: BigInt(value), nanos: 5 }),
    });
    const entries = await endpoint.publisher(Ledger.entries);
    const balances = await endpoint.publisher(Ledger.balances);
    const pulse = await endpoint.publisher(Ledger.pulse);
    return {
      flagged,
      publish() {
        for (const account of [1, 2, 1]) {
          for (const side of [Side.UNSPECIFIED, Side.DEBIT]) {
            entries.publish(keyOf(account, side), entryOf(account, big));
          }
        }
        balances.publish({ accountNumber: BigInt(big) }, { total: 1n });
        balances.publish({ accountNumber: BigInt(big) }, { total: 2n });
        pulse.publish({ count: 3 });
        const { $typeName: _type, body: _body, ...rest } = entryOf(9, big);
        using loan = entries.loan(keyOf(9, Side.CREDIT), LENT_BYTES, { field: "body" });
        loan.bytes.fill(9);
        loan.publish(rest);
      },
      async close() {
        await Promise.all([entries.close(), balances.close(), pulse.close()]);
      },
    };
  },

  async call(endpoint, address, big) {
    const ledger = endpoint.client(Ledger, address);
    const booked = encodedEntry(await ledger.book(entryOf(7, big)));
    const listed = (await collect(ledger.list({ amount: 3n }))).map(encodedEntry);
    const { total, count } = await ledger.sum(several(big));
    const matched = (await collect(ledger.match(several(big)))).map(encodedEntry);
    await ledger.flag(entryOf(8, big));
    const { seconds, nanos } = await ledger.fetch({ value: "123" });
    return { booked, listed, matched, total: String(total), count, fetched: `${seconds}.${nanos}` };
  },

  async subscribe(endpoint, from, big) {
    const all = endpoint.subscribe(Ledger.entries, {}, { from });
    const some = endpoint.subscribe(Ledger.entries, { accountId: 1n, side: Side.UNSPECIFIED }, { from });
    const digest = Uint8Array.of(2, 0);
    const byDigest = endpoint.subscribe(
      Ledger.entries,
      { digest, currencyCode: "", isOpen: false },
      { from },
    );
    const none = endpoint.subscribe(Ledger.entries, { isOpen: true }, { from });
    const lent = endpoint.subscribe(Ledger.entries, { accountId: 9n }, { from, borrow: true });
    const balances = endpoint.subscribe(Ledger.balances, { accountNumber: BigInt(big) }, { from });
    const pulse = endpoint.subscribe(Ledger.pulse, { from });
    const every = [all, some, byDigest, none, lent, balances, pulse];
    await Promise.all(every.map((subscription) => subscription.ready()));

    const seenEntries = async (
      publications: AsyncIterable<{ readonly key: EntryKey; readonly message: Entry }>,
    ): Promise<Seen[]> => {
      const seen: Seen[] = [];
      for await (const { key, message } of publications) {
        seen.push({ key: toBinary(EntryKeySchema, key), message: encodedEntry(message) });
      }
      return seen;
    };
    const seenBalances = async (
      publications: AsyncIterable<{ readonly key: AccountKey | undefined; readonly message: Balance }>,
    ): Promise<Seen[]> => {
      const seen: Seen[] = [];
      for await (const { key, message } of publications) {
        const encodedKey = key === undefined ? new Uint8Array(0) : toBinary(AccountKeySchema, key);
        seen.push({ key: encodedKey, message: toBinary(BalanceSchema, message) });
      }
      return seen;
    };
    return {
      received: () => every.reduce((sum, { received }) => sum + received, 0),
      latest() {
        const entry = all.latest(keyOf(2, Side.DEBIT))?.message;
        const total = balances.latest({ accountNumber: BigInt(big) })?.message.total;
        return {
          entry: entry === undefined ? undefined : encodedEntry(entry),
          total: total === undefined ? undefined : String(total),
        };
      },
      async read() {
        return {
          all: await seenEntries(all),
          some: await seenEntries(some),
          byDigest: await seenEntries(byDigest),
          none: await seenEntries(none),
          lent: await seenEntries(lent),
          balances: await seenBalances(balances),
          pulse: await seenBalances(pulse),
        };
      },
    };
  },
};
