import { fromBinary } from "@bufbuild/protobuf";
import { TopicKeySchema } from "../../gen/test/v1/echo_pb.js";
import { type Frame, Kind } from "../../gen/protoipc/v1/wire_pb.js";

/** What has reached a subscriber of one key: publications, and reports of those that do not come. */
export interface KeyAccount {
  /** As the publisher's log names it; `undefined` until it is announced. */
  key: string | undefined;
  received: number;
  lost: number;
  /** The number up to which every publication is received or reported; -1: none came yet. */
  seq: number;
}

/** The name of a key in logs. */
export function keyText(key: {
  readonly name?: string | undefined;
  readonly shard?: number | undefined;
}): string {
  return `${key.name ?? ""}/${key.shard ?? 0}`;
}

function newAccount(): KeyAccount {
  return { key: undefined, received: 0, lost: 0, seq: -1 };
}

/** Takes account of a KEY, LOST, or DATA frame of a topic. Returns what is wrong with its numbers. */
export function checkReceivedTopicFrame(keys: Map<number, KeyAccount>, frame: Frame): string | undefined {
  const account = keys.get(frame.keyId) ?? newAccount();
  keys.set(frame.keyId, account);
  if (frame.kind === Kind.KEY) {
    account.key = keyText(fromBinary(TopicKeySchema, frame.payload!));
    return undefined;
  }
  const seq = Number(frame.seq);
  const lost = Number(frame.lost);
  const isData = frame.kind === Kind.DATA;
  const before = account.seq;
  account.seq = seq;
  account.lost += lost;
  if (isData) account.received++;
  if (before < 0) return undefined;
  if (seq <= before) return `number ${seq} after ${before}`;
  const missing = seq - before - (isData ? 1 : 0);
  return missing === lost
    ? undefined
    : `${missing} publications are missing after ${before}, ${lost} are reported as lost`;
}
