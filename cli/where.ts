import { IpcError } from "../runtime/error.js";
import { chooseDomain, chooseRoot } from "../transports/directory/index.js";
import { TransportError } from "../transports/transport.js";
import { CliError } from "./cli-error.js";

/** Where endpoints are looked for, and what decided that. */
export async function placeText(domain: string | undefined): Promise<string> {
  const root = await chooseRoot();
  return `domain ${chooseDomain(domain)} below ${root.path} (chosen by ${root.rule})`;
}

/** What helps where somebody or something was not found; `undefined` for another error. */
export async function hintFor(error: unknown, domain: string | undefined): Promise<string | undefined> {
  const how = `${domain === undefined ? "protoipc ls" : `protoipc ls --domain ${domain}`} shows who is there`;
  if (error instanceof CliError && error.isSearch) return `looked in ${await placeText(domain)}; ${how}`;
  // Where was looked is what it says itself.
  const isNobody =
    error instanceof IpcError && error.cause instanceof TransportError && error.cause.kind === "notFound";
  return isNobody ? how : undefined;
}
