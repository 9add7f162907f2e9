import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { withSharedReads } from "../shared-reads.js";
import { StreamLink, type StreamLinkOptions } from "../stream-link.js";
import { type Link, type LinkLimits, type PeerCredentials, TransportError } from "../transport.js";

/** What tells a child how it is connected to the process that started it: docs/spec/names-v1.md, section 10. */
export const PARENT_VARIABLE = "PROTOIPC_PARENT";
/** The descriptor of the socket that a child inherits. */
export const PARENT_FD = 3;
/** Standard input and output carry the link. */
export const VIA_STDIO = "stdio";

export interface InheritedOptions {
  readonly incoming: Readable;
  readonly outgoing: Writable;
  /** For people, such as "process 4711". */
  readonly location: string;
  readonly peer: PeerCredentials;
  readonly limits: LinkLimits;
  /** As in `StreamLinkOptions`. */
  readonly preambleTimeoutMs?: number | undefined;
  /** The record that tells a peer what is wrong with its bytes before the link ends: a CLOSE frame. */
  readonly closingRecord?: ((message: string) => Uint8Array) | undefined;
}

/** Payloads above this are sent in parts. */
const FRAGMENT_BYTES = 65_536;

/**
 * A link over what a child process has inherited, seen from either side. Nothing is read before it is started, so that it
 * keeps no process running until then.
 */
export function inheritedLink(options: InheritedOptions): Link {
  const { location, peer, limits, preambleTimeoutMs, closingRecord } = options;
  const info = { transport: "inherited", location, reason: "", fragmentBytes: FRAGMENT_BYTES };
  return new StreamLink({ ...streamsOf(options), info, peer, limits, preambleTimeoutMs, closingRecord });
}

function streamsOf({
  incoming,
  outgoing,
}: InheritedOptions): Pick<StreamLinkOptions, "incoming" | "outgoing" | "reads"> {
  const isOne = Object.is(incoming, outgoing);
  if (outgoing instanceof Socket) outgoing.allowHalfOpen = true;
  if (!(incoming instanceof Socket)) return { incoming, outgoing };
  const { socket, reads } = withSharedReads(incoming);
  socket.allowHalfOpen = true;
  return { incoming: socket, outgoing: isOne ? socket : outgoing, reads };
}

/**
 * The streams to the process that started this one, as its environment says. Taken once: the variable is removed, so that
 * no child of this process takes them for its own. Throws a `TransportError`: "notFound" where there is no parent,
 * "invalid" for a value that makes no sense.
 */
export function takeParentStreams(environment: NodeJS.ProcessEnv): {
  incoming: Readable;
  outgoing: Writable;
} {
  const value = environment[PARENT_VARIABLE];
  if (value === undefined) {
    const text = `${PARENT_VARIABLE} is not set: this process was not started by an endpoint's spawn`;
    throw new TransportError("notFound", text);
  }
  delete environment[PARENT_VARIABLE];
  if (value === VIA_STDIO) {
    // Not process.stdin and process.stdout, which cannot be closed.
    const incoming = new Socket({ fd: 0, readable: true, writable: false });
    incoming.pause();
    return { incoming, outgoing: new Socket({ fd: 1, readable: false, writable: true }) };
  }
  const fd = /^fd:(\d{1,6})$/.exec(value)?.[1];
  if (fd === undefined) {
    const text = `${PARENT_VARIABLE} is ${JSON.stringify(value)}; it must be "fd:3" or "${VIA_STDIO}"`;
    throw new TransportError("invalid", text);
  }
  const socket = new Socket({ fd: Number(fd), readable: true, writable: true, allowHalfOpen: true });
  socket.pause();
  return { incoming: socket, outgoing: socket };
}
