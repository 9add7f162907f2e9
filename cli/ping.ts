import { Inspect } from "../gen/protoipc/v1/inspect_protoipc.js";
import { type DialOptions, withEndpoint } from "./endpoint.js";
import { plainLine, printJson, printLine } from "./output.js";

interface PingOptions extends DialOptions {
  readonly count: number;
}

/** Round trips of a small call to an endpoint. */
export async function ping(address: string, options: PingOptions): Promise<void> {
  await withEndpoint(options, async (endpoint) => {
    const signal = AbortSignal.timeout(options.timeout);
    const peer = await endpoint.connect(address, { signal });
    const inspect = endpoint.client(Inspect, address);
    const { transport, reason } = peer.link;
    if (options.json !== true) {
      printLine(
        plainLine(
          `${peer.name || address}, process ${peer.pid}, ${peer.implementation}, over ${transport} (${reason})`,
        ),
      );
    }
    const timesUs: number[] = [];
    for (let i = 0; i < Math.max(1, options.count); i++) {
      const startMs = performance.now();
      await inspect.ping({}, { timeoutMs: options.timeout });
      timesUs.push(Math.round((performance.now() - startMs) * 1_000));
    }
    const sorted = [...timesUs].sort((a, b) => a - b);
    const [minUs, medianUs, maxUs] = [sorted[0]!, sorted[Math.floor(sorted.length / 2)]!, sorted.at(-1)!];
    if (options.json === true) {
      printJson({ address, pid: peer.pid, transport, reason, count: timesUs.length, minUs, medianUs, maxUs });
    } else {
      printLine(
        `${timesUs.length} round trips: ${minUs} us at least, ${medianUs} us in the middle, ${maxUs} us at most`,
      );
    }
  });
}
