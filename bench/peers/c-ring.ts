/** What a ring costs at least: two C processes, a cursor and a record behind it, spinning (c/ring.c). */
import type { Peer } from "./peer.js";

export const peer: Peer = { name: "c-ring", packages: [], programs: { "record-rtt": "ring.c" } };
