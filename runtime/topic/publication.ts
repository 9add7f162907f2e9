import type { BytesPayload } from "../session/payload.js";

/** What a publisher knows of one key. */
export interface KeyState {
  /** From 1; 0 in an unkeyed topic. */
  readonly id: number;
  /** The key as the filter is compared with it. */
  readonly key: unknown;
  readonly encoded: BytesPayload;
  /** The number of the newest publication. */
  seq: number;
  /** The newest publications, oldest first, as many as the topic's history. */
  readonly history: PendingPublication[];
}

/** A publication that waits for a subscriber. Encoded once, shared by all; each list that it is in holds the payload. */
export interface PendingPublication {
  readonly key: KeyState;
  readonly seq: number;
  /** When it was published, in microseconds of CLOCK_MONOTONIC; 0 where nobody will ask. */
  readonly timeUs: number;
  readonly payload: BytesPayload;
}
