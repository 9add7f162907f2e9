// The tests put this file beside the program, too.
import type { Endpoint } from "protoipc";

/** A side of test.v1.Ledger. Messages go in and come out encoded, whoever's types it has. */
export interface LedgerPeer {
  /** Serves the methods, and publishes when told so. `big` is a 64-bit integer that all its messages hold. */
  serve(endpoint: Endpoint, big: string): Promise<ServedLedger>;
  /** Makes every kind of call. */
  call(endpoint: Endpoint, address: string, big: string): Promise<Called>;
  /** Subscribes to every topic. */
  subscribe(endpoint: Endpoint, address: string, big: string): Promise<Subscribed>;
}

export interface ServedLedger {
  /** The entries that one-way calls have brought. */
  readonly flagged: readonly Uint8Array[];
  publish(): void;
  /** Ends the topics. */
  close(): Promise<void>;
}

export interface Called {
  readonly booked: Uint8Array;
  readonly listed: readonly Uint8Array[];
  readonly matched: readonly Uint8Array[];
  readonly total: string;
  readonly count: number;
  readonly fetched: string;
}

/** What a subscriber has seen of one publication. */
export interface Seen {
  readonly key: Uint8Array;
  readonly message: Uint8Array;
}

export interface Subscribed {
  /** How many publications have come, over all topics. */
  received(): number;
  /** The entry that is the latest of an account, and the total that is the latest of the big one. */
  latest(): { readonly entry: Uint8Array | undefined; readonly total: string | undefined };
  /** Reads what has come, by topic and filter. Ends when the publisher has ended. */
  read(): Promise<Readonly<Record<string, readonly Seen[]>>>;
}

/** How many publications of `publish` a subscriber receives, over all its subscriptions. */
export const PUBLICATIONS = 15;
/** The length of the body that a publisher fills in place. */
export const LENT_BYTES = 100_000;
