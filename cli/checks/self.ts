import { Inspect } from "../../gen/protoipc/v1/inspect_protoipc.js";
import { type Endpoint, open } from "../../index.js";
import type { DoctorOptions, Finding } from "./finding.js";

const CHECK = "self test";

/** Two endpoints that talk over each transport there is. */
export async function checkSelf(options: DoctorOptions): Promise<Finding[]> {
  const { domain } = options;
  const name = `doctor-${process.pid}`;
  try {
    const server = await open({ name, domain, drainTimeoutMs: 100 });
    const client = await open({ domain, discoverable: false, drainTimeoutMs: 100 });
    try {
      const found: Finding[] = [];
      for (const address of server.addresses) found.push(await checkAddress(client, address, options));
      return [...found, await checkChoice(client, name, options)];
    } finally {
      await Promise.all([client.close(), server.close()]);
    }
  } catch (error) {
    const advice = "no endpoint can be opened here: first see to what else is found, above all the directory";
    return [failure(name, error, advice)];
  }
}

async function checkAddress(client: Endpoint, address: string, { timeout }: DoctorOptions): Promise<Finding> {
  const startMs = performance.now();
  try {
    await client.client(Inspect, address).ping({}, { timeoutMs: timeout });
  } catch (error) {
    const [transport = ""] = address.split(":");
    return failure(address, error, `do without it: PROTOIPC_TRANSPORTS=${othersThan(transport)}`);
  }
  const finding = `${address}: connected and answered within ${(performance.now() - startMs).toFixed(1)} ms`;
  return { check: CHECK, state: "ok", finding };
}

async function checkChoice(client: Endpoint, name: string, { timeout }: DoctorOptions): Promise<Finding> {
  try {
    const { link } = await client.connect(name, { signal: AbortSignal.timeout(timeout) });
    return { check: CHECK, state: "ok", finding: `${name}: ${link.transport} is taken, as ${link.reason}` };
  } catch (error) {
    return failure(
      name,
      error,
      "see the transports above; a longer --timeout helps where the machine is busy",
    );
  }
}

function othersThan(transport: string): string {
  return ["shm", "unix", "pipe"].filter((one) => one !== transport).join(",");
}

function failure(what: string, error: unknown, advice: string): Finding {
  const why = error instanceof Error ? error.message : String(error);
  return { check: CHECK, state: "failure", finding: `${what}: ${why}`, advice };
}
