import type { LinkEnd } from "../../transports/transport.js";
import { IpcError } from "../error.js";

/** The end of a link, in the words of calls. */
export function linkLost(end: LinkEnd, isHandshake: boolean): IpcError {
  const when = isHandshake ? " before the peer introduced itself" : "";
  switch (end.kind) {
    case "local":
      return new IpcError("CANCELLED", "the link was closed on this side");
    case "peer":
      return new IpcError("UNAVAILABLE", `the peer closed the link or died${when}`);
    case "protocol":
      return new IpcError("INTERNAL", `protocol error: ${end.message}`);
    case "io":
      return new IpcError("UNAVAILABLE", `the link failed${when}`, { cause: end.cause });
  }
}
