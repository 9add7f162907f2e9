import { Inspect } from "../../gen/protoipc/v1/inspect_protoipc.js";
import { open } from "../../index.js";
import type { DoctorOptions, Finding } from "./finding.js";

/** Two endpoints that talk over each transport there is. */
export async function checkSelf({ timeout, domain }: DoctorOptions): Promise<Finding[]> {
  const check = "self test";
  const name = `doctor-${process.pid}`;
  const server = await open({ name, domain, drainTimeoutMs: 100 });
  const client = await open({ domain, discoverable: false, drainTimeoutMs: 100 });
  try {
    const found: Finding[] = [];
    for (const address of server.addresses) {
      const startMs = performance.now();
      await client.client(Inspect, address).ping({}, { timeoutMs: timeout });
      found.push({
        check,
        state: "ok",
        finding: `${address}: connected and answered within ${(performance.now() - startMs).toFixed(1)} ms`,
      });
    }
    const { link } = await client.connect(name, { signal: AbortSignal.timeout(timeout) });
    found.push({ check, state: "ok", finding: `${name}: ${link.transport} is taken, as ${link.reason}` });
    return found;
  } finally {
    await Promise.all([client.close(), server.close()]);
  }
}
