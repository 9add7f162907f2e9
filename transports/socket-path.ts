import { isAbsolute } from "node:path";
import { TransportError } from "./transport.js";

/** What follows the path of a socket that is bound and not yet in its place: "~" and four characters. */
export const TEMPORARY_SUFFIX_BYTES = 5;

/** The longest path that the kernel takes, in bytes: `sun_path` less the final zero byte. */
export function maxSocketPathBytes(): number {
  return process.platform === "linux" ? 107 : 103;
}

/**
 * Throws a `TransportError` "invalid" unless the path, followed by `suffixBytes` more, can be a socket's. Node 20 cuts
 * a longer one off without a word.
 */
export function checkSocketPath(path: string, suffixBytes: number): void {
  if (!isAbsolute(path) || path.includes("\0")) {
    throw new TransportError("invalid", `the socket path ${JSON.stringify(path)} is not an absolute path`);
  }
  const bytes = Buffer.byteLength(path);
  const limit = maxSocketPathBytes() - suffixBytes;
  if (bytes > limit) {
    throw new TransportError(
      "invalid",
      `the socket path ${path} has ${bytes} bytes, the limit is ${limit}; set PROTOIPC_DIR to a shorter directory`,
    );
  }
}
