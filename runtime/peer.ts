import type { LinkInfo, PeerCredentials } from "../transports/transport.js";

/** The endpoint at the other end of a link. */
export interface Peer {
  /** Its endpoint's name; empty for an anonymous one. A claim of the peer's. */
  readonly name: string;
  /** Its implementation, such as "typescript/0.1.0". A claim of the peer's. */
  readonly implementation: string;
  /** New for each run of the endpoint: tells a restarted peer from the one before. Hexadecimal, 32 digits. */
  readonly incarnation: string;
  /** Its process, by the kernel's word where `credentials.verifiedBy` says so, else its own claim. 0: unknown. */
  readonly pid: number;
  readonly credentials: PeerCredentials;
  readonly link: LinkInfo;
}
