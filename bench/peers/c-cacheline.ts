/** The floor of a record: two C processes and two cache lines, spinning (c/cacheline.c). */
import type { Peer } from "./peer.js";

export const peer: Peer = { name: "c-cacheline", packages: [], programs: { "record-rtt": "cacheline.c" } };
