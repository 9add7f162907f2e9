import { fromBinary } from "@bufbuild/protobuf";
import { TopicKeySchema } from "../../gen/test/v1/echo_pb.js";
import { type Frame, Kind } from "../../gen/protoipc/v1/wire_pb.js";

/** What has reached a subscriber of one key: publications, and reports of those that do not come. */
export interface KeyAccount {
  /** As the publisher's log names it. */
  readonly key: string;
  received: number;
  lost: number;
  /** The number up to which every publication is received or reported; before any came, where the key starts. */
  seq: number;
}

/** The name of a key in logs. */
export function keyText(key: {
  readonly name?: string | undefined;
  readonly shard?: number | undefined;
}): string {
  return `${key.name ?? ""}/${key.shard ?? 0}`;
}

/** What has reached one subscriber, key by key, by the frames alone. */
export class TopicAccount {
  /** The number of a key after which everything is due; `undefined` until the publisher takes the subscription on. */
  startOf: ((key: string) => number) | undefined;
  readonly #byId = new Map<number, KeyAccount>();
  readonly #byKey = new Map<string, KeyAccount>();

  /** Every key of which this subscriber has heard. */
  get keys(): ReadonlyMap<string, KeyAccount> {
    return this.#byKey;
  }

  /** Takes account of a KEY, LOST, or DATA frame of a topic. Returns what is wrong with it. */
  take(frame: Frame): string | undefined {
    const { keyId } = frame;
    if (frame.kind === Kind.KEY) return this.#add(keyId, keyText(fromBinary(TopicKeySchema, frame.payload!)));
    // The one key of an unkeyed topic is never announced.
    if (keyId === 0 && !this.#byId.has(0)) {
      const problem = this.#add(0, keyText({}));
      if (problem !== undefined) return problem;
    }
    const account = this.#byId.get(keyId);
    if (account === undefined) return "the key was not announced";
    const seq = Number(frame.seq);
    const lost = Number(frame.lost);
    const isData = frame.kind === Kind.DATA;
    const before = account.seq;
    account.seq = seq;
    account.lost += lost;
    if (isData) account.received++;
    if (seq <= before) return `number ${seq} of ${account.key} after ${before}`;
    const missing = seq - before - (isData ? 1 : 0);
    return missing === lost
      ? undefined
      : `${missing} publications of ${account.key} are missing after ${before}, ${lost} are reported as lost`;
  }

  #add(keyId: number, key: string): string | undefined {
    if (this.startOf === undefined) return "the subscription was not taken on";
    if (this.#byKey.has(key)) return `${key} has a key id already`;
    const account = { key, received: 0, lost: 0, seq: this.startOf(key) };
    this.#byId.set(keyId, account);
    this.#byKey.set(key, account);
    return undefined;
  }
}
