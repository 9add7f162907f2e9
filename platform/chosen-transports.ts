import { type Transport, TransportError } from "../transports/transport.js";

const VARIABLE = "PROTOIPC_TRANSPORTS";

/**
 * The transports that $PROTOIPC_TRANSPORTS names, in its order of preference ("unix", "unix,shm"); all where it names
 * none. `missing` says why one that there could be is not there. Throws a `TransportError`: "invalid" for a name that is
 * none, "unavailable" for one that is missing.
 */
export function chosenTransports<T extends Transport>(
  transports: readonly T[],
  missing: Readonly<Record<string, string>>,
  environment: NodeJS.ProcessEnv = process.env,
): readonly T[] {
  const names = (environment[VARIABLE] ?? "").split(",").map((name) => name.trim());
  const wanted = names.filter((name) => name !== "");
  if (wanted.length === 0) return transports;
  return wanted.map((name) => {
    const transport = transports.find((one) => one.name === name);
    if (transport !== undefined) return transport;
    const reason = missing[name];
    if (reason !== undefined) throw new TransportError("unavailable", `${VARIABLE} names ${name}: ${reason}`);
    const known = [...transports.map((one) => one.name), ...Object.keys(missing)].join(", ");
    throw new TransportError("invalid", `${VARIABLE} names ${JSON.stringify(name)}; there are: ${known}`);
  });
}
