// A side of test.v1.Ledger over what ts-proto has generated. The tests put it beside that, once for each set of options;
// `values.ts` is theirs, and has what those change.
import type { Endpoint } from "protoipc";
import { Timestamp } from "./google/protobuf/timestamp.js";
import { StringValue } from "./google/protobuf/wrappers.js";
import { type Called, LENT_BYTES, type Seen, type ServedLedger, type Subscribed } from "./peer.js";
import { AccountKey, Balance, Entry, Entry_Line, EntryKey, Side } from "./test/v1/ledger.js";
import { Ledger, type LedgerHandlers } from "./test/v1/ledger_protoipc.js";
import { bytes, canLend, int64, nothing, signedNote, uint64 } from "./values.js";

function entryOf(id: number, big: string): Entry {
  const line = Entry_Line.create({ label: "żółw", amount: int64("-5"), tags: [1, 300] });
  return {
    entryId: int64(String(id)),
    serialNumber: uint64(big),
    memo: "",
    side: Side.SIDE_CREDIT,
    lines: [line, Entry_Line.create({})],
    totals: { first: int64("-7"), second: int64("0") },
    ...signedNote("signed"),
    bookedAt: new Date(1_700_000_000_123),
    owner: "somebody",
    body: bytes(1, 2, 3),
    parts: [uint64("0"), uint64(big)],
    reversed: { ...Entry.create({ memo: "reversed" }), reversed: nothing },
  };
}

function keyOf(account: number, side: Side): EntryKey {
  return {
    accountId: int64(String(account)),
    side,
    digest: bytes(account, 0),
    currencyCode: "",
    isOpen: false,
  };
}

const encodedEntry = (entry: Entry): Uint8Array => Entry.encode(entry).finish();

export async function serve(endpoint: Endpoint, big: string): Promise<ServedLedger> {
  const flagged: Uint8Array[] = [];
  const handlers: LedgerHandlers = {
    book: (entry) => entry,
    async *list({ amount }) {
      for (let id = 0; id < Number(amount); id++) yield entryOf(id, big);
    },
    async sum(entries) {
      let total = 0n;
      let count = 0;
      for await (const { entryId } of entries) {
        total += BigInt(String(entryId));
        count++;
      }
      return Balance.create({ total: int64(String(total)), count });
    },
    async *match(entries) {
      for await (const entry of entries) yield { ...entry, memo: "matched" };
    },
    flag(entry) {
      flagged.push(encodedEntry(entry));
    },
    fetch: ({ value }) => Timestamp.create({ seconds: int64(value ?? ""), nanos: 5 }),
  };
  endpoint.serve(Ledger, handlers);
  const entries = await endpoint.publisher(Ledger.entries);
  const balances = await endpoint.publisher(Ledger.balances);
  const pulse = await endpoint.publisher(Ledger.pulse);
  return {
    flagged,
    publish() {
      for (const account of [1, 2, 1]) {
        for (const side of [Side.SIDE_UNSPECIFIED, Side.SIDE_DEBIT]) {
          entries.publish(keyOf(account, side), entryOf(account, big));
        }
      }
      const key = AccountKey.create({ accountNumber: uint64(big) });
      balances.publish(key, Balance.create({ total: int64("1") }));
      balances.publish(
        AccountKey.create({ accountNumber: uint64(big) }),
        Balance.create({ total: int64("2") }),
      );
      pulse.publish(Balance.create({ count: 3 }));
      const { body: _, ...rest } = entryOf(9, big);
      const content = new Uint8Array(LENT_BYTES).fill(9);
      if (canLend) {
        using loan = entries.loan(keyOf(9, Side.SIDE_CREDIT), LENT_BYTES, { field: "body" });
        loan.bytes.set(content);
        loan.publish(rest);
      } else {
        entries.publish(keyOf(9, Side.SIDE_CREDIT), { ...rest, body: bytes(...content) });
      }
    },
    async close() {
      await Promise.all([entries.close(), balances.close(), pulse.close()]);
    },
  };
}

async function* several(big: string): AsyncIterable<Entry> {
  for (const id of [1, 2, 3]) yield entryOf(id, big);
}

export async function call(endpoint: Endpoint, address: string, big: string): Promise<Called> {
  const ledger = endpoint.client(Ledger, address);
  const booked = encodedEntry(await ledger.book(entryOf(7, big)));
  const listed: Uint8Array[] = [];
  for await (const entry of ledger.list(Entry_Line.create({ amount: int64("3") }))) {
    listed.push(encodedEntry(entry));
  }
  const { total, count } = await ledger.sum(several(big));
  const matched: Uint8Array[] = [];
  for await (const entry of ledger.match(several(big))) matched.push(encodedEntry(entry));
  await ledger.flag(entryOf(8, big));
  const { seconds, nanos } = await ledger.fetch(StringValue.create({ value: "123" }));
  return { booked, listed, matched, total: String(total), count: count ?? 0, fetched: `${seconds}.${nanos}` };
}

export async function subscribe(endpoint: Endpoint, from: string, big: string): Promise<Subscribed> {
  const subscribeTo = (filter: EntryKey) => endpoint.subscribe(Ledger.entries, filter, { from });
  const all = subscribeTo(EntryKey.create({}));
  const some = subscribeTo(EntryKey.create({ accountId: int64("1"), side: Side.SIDE_UNSPECIFIED }));
  const byDigest = subscribeTo(EntryKey.create({ digest: bytes(2, 0), currencyCode: "", isOpen: false }));
  const none = subscribeTo(EntryKey.create({ isOpen: true }));
  const lent = endpoint.subscribe(Ledger.entries, EntryKey.create({ accountId: int64("9") }), {
    from,
    borrow: true,
  });
  const balances = endpoint.subscribe(Ledger.balances, AccountKey.create({ accountNumber: uint64(big) }), {
    from,
  });
  const pulse = endpoint.subscribe(Ledger.pulse, { from });
  const every = [all, some, byDigest, none, lent, balances, pulse];
  await Promise.all(every.map((subscription) => subscription.ready()));

  const seenEntries = async (
    subscription: AsyncIterable<{ readonly key: EntryKey; readonly message: Entry }>,
  ): Promise<Seen[]> => {
    const seen: Seen[] = [];
    for await (const { key, message } of subscription) {
      seen.push({ key: EntryKey.encode(key).finish(), message: encodedEntry(message) });
    }
    return seen;
  };
  const seenBalances = async (
    subscription: AsyncIterable<{ readonly key: AccountKey | undefined; readonly message: Balance }>,
  ): Promise<Seen[]> => {
    const seen: Seen[] = [];
    for await (const { key, message } of subscription) {
      const encodedKey = key === undefined ? new Uint8Array(0) : AccountKey.encode(key).finish();
      seen.push({ key: encodedKey, message: Balance.encode(message).finish() });
    }
    return seen;
  };
  return {
    received: () => every.reduce((sum, { received }) => sum + received, 0),
    latest() {
      const entry = all.latest(keyOf(2, Side.SIDE_DEBIT))?.message;
      const balance = balances.latest(AccountKey.create({ accountNumber: uint64(big) }))?.message;
      return {
        entry: entry === undefined ? undefined : encodedEntry(entry),
        total: balance === undefined ? undefined : String(balance.total),
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
}
