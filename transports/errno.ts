import { TransportError } from "./transport.js";

/** The system's name of an error, such as "ENOENT", where it is one. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

const KINDS: Readonly<Record<string, TransportError["kind"]>> = {
  ENOENT: "notFound",
  ECONNREFUSED: "notFound",
  EADDRINUSE: "inUse",
  EAGAIN: "busy",
  EACCES: "denied",
  EPERM: "denied",
  ELOOP: "denied",
  ENAMETOOLONG: "invalid",
  ENOTDIR: "invalid",
  E2BIG: "invalid",
};

/** A `TransportError` for a system error: `what` failed. One that is such already stays as it is. */
export function transportErrorOf(error: unknown, what: string): TransportError {
  if (error instanceof TransportError) return error;
  const code = errnoOf(error);
  const kind = (code === undefined ? undefined : KINDS[code]) ?? "unavailable";
  const reason = code ?? (error instanceof Error ? error.message : String(error));
  return new TransportError(kind, `${what}: ${reason}`, { cause: error });
}
