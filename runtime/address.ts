import { IpcError } from "./error.js";
import { MAX_NAME_BYTES } from "./wire/hello.js";

/** An address, taken apart. */
export type Address =
  /** A bare name: the best transport that both sides have. */
  | { readonly kind: "bare"; readonly name: string }
  /** A name on one transport. */
  | { readonly kind: "name"; readonly scheme: string; readonly name: string }
  /** The transport's own path. */
  | { readonly kind: "path"; readonly scheme: string; readonly path: string };

const NAME_PATTERN = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;

/** Reads an address. Throws `IpcError` INVALID_ARGUMENT that names what is wrong with it. */
export function parseAddress(text: string): Address {
  if (typeof text !== "string") throw new TypeError(`an address is ${typeof text}, not a string`);
  const colon = text.indexOf(":");
  if (colon < 0) return { kind: "bare", name: checkName(text) };
  const scheme = text.slice(0, colon);
  const rest = text.slice(colon + 1);
  if (!/^[a-z][a-z0-9]*$/.test(scheme)) throw invalid(text, `"${scheme}" is no transport's name`);
  if (/^\d+$/.test(rest))
    throw invalid(text, "an address is a name, or transport:name; there are no hosts and ports");
  if (rest.startsWith("/") || rest.startsWith("\\")) return { kind: "path", scheme, path: rest };
  return { kind: "name", scheme, name: checkName(rest) };
}

/** Returns the endpoint name. Throws `IpcError` INVALID_ARGUMENT. */
export function checkName(name: string): string {
  if (name === "") throw new IpcError("INVALID_ARGUMENT", "an endpoint name is empty");
  const size = new TextEncoder().encode(name).length;
  if (size > MAX_NAME_BYTES) {
    throw new IpcError(
      "INVALID_ARGUMENT",
      `an endpoint name of ${size} bytes is above the limit of ${MAX_NAME_BYTES}`,
    );
  }
  if (name.includes("/"))
    throw invalid(name, 'a path is absolute and follows its transport: "unix:/tmp/x.sock"');
  if (!NAME_PATTERN.test(name)) {
    throw invalid(name, 'an endpoint name has a-z, A-Z, 0-9, ".", "_", "-" and does not begin with "."');
  }
  return name;
}

function invalid(text: string, why: string): IpcError {
  return new IpcError("INVALID_ARGUMENT", `address ${JSON.stringify(text)}: ${why}`);
}
