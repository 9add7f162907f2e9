import { randomBytes } from "node:crypto";
import { TransportError } from "../transport.js";

const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/;

/** The names of endpoints without a name: their process, and random digits. */
const MADE_UP = /^_\d+-[0-9a-f]{8}$/;

/** A name for an endpoint without one. */
export function makeUpName(pid: number): string {
  return `_${pid}-${randomBytes(4).toString("hex")}`;
}

/** Whether an endpoint of this name has none of its own. */
export function isMadeUp(name: string): boolean {
  return MADE_UP.test(name);
}

/** The domain of endpoints whose user names none. */
export const DEFAULT_DOMAIN = "default";

/** Throws a `TransportError` "invalid" for a name that no endpoint can have: it must do as a folder's name anywhere. */
export function checkEndpointName(name: string): void {
  checkName("endpoint name", name);
}

/** The domain to use: the one given, else $PROTOIPC_DOMAIN, else "default". Throws as `checkEndpointName` does. */
export function chooseDomain(
  given: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
): string {
  const domain = given ?? environment["PROTOIPC_DOMAIN"] ?? "";
  if (domain === "") return DEFAULT_DOMAIN;
  checkName("domain", domain);
  return domain;
}

function checkName(what: string, name: string): void {
  if (NAME.test(name)) return;
  const shown = JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
  throw new TransportError(
    "invalid",
    `${shown} is no ${what}: it has 1 to 64 characters of a-z, A-Z, 0-9, ".", "_" and "-", the first of which is no "."`,
  );
}
