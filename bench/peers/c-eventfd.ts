/** The floor of a wake-up: two C processes and an eventfd (c/eventfd.c). */
import type { Peer } from "./peer.js";

export const peer: Peer = { name: "c-eventfd", packages: [], programs: { "wake-up": "eventfd.c" } };
