import type { Connection } from "./connection.js";

interface Entry {
  usable: Connection | undefined;
  readonly connecting: Promise<Connection>;
}

/** The connections that were dialled, by address: one for each, shared by all that call there. */
export class Dialled {
  readonly #dial: (address: string) => Promise<Connection>;
  readonly #entries = new Map<string, Entry>();

  constructor(dial: (address: string) => Promise<Connection>) {
    this.#dial = dial;
  }

  /** The connection to an address on which calls can be opened. */
  usable(address: string): Connection | undefined {
    const connection = this.#entries.get(address)?.usable;
    return connection?.isUsable === true ? connection : undefined;
  }

  /** The connection to an address, dialled if there is none. Rejects as `dial` does. */
  connect(address: string): Promise<Connection> {
    const existing = this.#entries.get(address);
    if (existing !== undefined) return existing.connecting;
    const connecting = this.#dial(address);
    const entry: Entry = { usable: undefined, connecting };
    this.#entries.set(address, entry);
    const forget = (): void => {
      if (this.#entries.get(address) === entry) this.#entries.delete(address);
    };
    connecting.then((connection) => {
      if (connection.isUsable) entry.usable = connection;
      else forget();
    }, forget);
    return connecting;
  }

  /** No call can be opened on the connection any more: the next one dials. */
  forget(connection: Connection): void {
    for (const [address, entry] of this.#entries) {
      if (entry.usable === connection) this.#entries.delete(address);
    }
  }
}
